// Making one connection without blocking: socket, connect, TLS handshake.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "load/address.hpp"
#include "load/stream.hpp"
#include "load/tls.hpp"

namespace loopgauge::bench {

// Where and how connections of a group are made; shared by all of them.
struct Target {
  Kind kind = Kind::tcp;
  Address address;
  std::string text;              // the address in words
  std::unique_ptr<Tls> tls;      // kind tls only
  bool rotate_sources = false;   // 127.0.0.0/8: every connection from another source address
  std::uint32_t next_source = 0; // the rotation's state
};

class Dial {
 public:
  // Throws LoadError(refused), or (unavailable) for lack of descriptors or local ports.
  explicit Dial(Target& target);

  // Goes on; true when the stream is established. Call it when the socket is ready as wants_write()
  // says, or again after a while if must_retry().
  bool advance();

  [[nodiscard]] int fd() const noexcept { return stream_->fd(); }
  [[nodiscard]] bool wants_write() const;
  // A Unix listener's queue is full: nothing will become ready, connect must be called again.
  [[nodiscard]] bool must_retry() const noexcept { return state_ == State::full; }

  // Once, after advance() said true.
  [[nodiscard]] std::unique_ptr<Stream> take() { return std::move(stream_); }

 private:
  enum class State { full, connecting, establishing, done };

  void connect();

  Target& target_;
  std::unique_ptr<Stream> stream_;
  State state_ = State::full;
};

// Begins a dial, or goes on with it, as often as it takes. True once: `stream` is established then,
// and `dial` null. Throws what Dial throws.
bool dialled(std::unique_ptr<Dial>& dial, Target& target, std::unique_ptr<Stream>& stream);

// A connected datagram socket; a Unix one gets an abstract name, so that it can be answered.
core::UniqueFd connect_datagrams(const Target& target);

// A non-blocking socket of the target's family. Throws LoadError(unavailable).
core::UniqueFd new_socket(const Address& address, int type);

} // namespace loopgauge::bench
