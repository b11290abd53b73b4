// A non-blocking byte stream: a plain socket, or TLS over one.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "loops/core/fd.hpp"

namespace loopgauge::bench {

class Stream {
 public:
  // How a read or write went. Bytes may be 0 without an end: the call would block.
  struct Moved {
    std::size_t bytes = 0;
    bool end = false; // reads only: the other side has finished
  };

  explicit Stream(core::UniqueFd fd) : fd_(std::move(fd)) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // Both throw LoadError(lost) when the connection is broken.
  virtual Moved read(std::span<char> into);
  virtual Moved write(std::span<const char> data);

  // Ends the outgoing side; reading goes on. A connection that is gone already is no error.
  virtual void finish();

  // Goes on with what precedes the first byte (TLS: the handshake) after the socket is connected.
  // True when it is done. Throws LoadError.
  virtual bool establish() { return true; }
  // What epoll must wait for while establish() is not done: only writability?
  [[nodiscard]] virtual bool establish_wants_write() const { return false; }

  // Whether epoll may not know of everything there is to be read, so that one must read until it
  // would block.
  [[nodiscard]] virtual bool hides_input() const { return false; }

 private:
  core::UniqueFd fd_;
};

} // namespace loopgauge::bench
