// One client connection as a group drives it: start operations, be told of readiness, report what
// was completed. Every error is a LoadError; the group adds which connection it was.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/checker.hpp"
#include "load/dial.hpp"
#include "load/pattern.hpp"

namespace loopgauge::bench {

// What the connections of a group share.
struct Shared {
  Target target;
  std::vector<char> buffer = std::vector<char>(std::size_t{256} << 10);
  std::uint64_t progress = 0; // changes whenever a byte moved or a connection was made
  std::uint64_t received = 0; // bytes of answers
};

class Connection {
 public:
  Connection() = default;
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins or goes on with what precedes the first operation; true when that is done. Called again
  // when the socket is ready, or after a while if must_retry().
  virtual bool open() = 0;
  // Sends `count` more operations, at once as far as the socket takes them.
  virtual void start(std::int64_t count) = 0;
  // The socket has these epoll events. Returns how many operations were completed.
  virtual std::int64_t ready(std::uint32_t events) = 0;

  [[nodiscard]] virtual int fd() const = 0; // -1: none at the moment
  // Changes with every new socket: its number may be that of one that was closed.
  [[nodiscard]] virtual std::uint32_t generation() const { return 0; }
  [[nodiscard]] virtual bool wants_write() const = 0;
  [[nodiscard]] virtual bool must_retry() const { return false; }
  // What it waits for, after "connection 3 ".
  [[nodiscard]] virtual std::string where() const = 0;
};

// What a stream connection sends: a header, then bytes of a pattern.
class Outgoing {
 public:
  Outgoing(const Pattern& pattern, Position position) : pattern_(pattern), position_(position) {}

  void add(std::uint64_t bytes) noexcept { left_ += bytes; }
  // Comes before what was added and not sent yet; nothing may be left of the last one.
  void add_header(std::string header) {
    header_ = std::move(header);
    header_sent_ = 0;
  }
  [[nodiscard]] bool empty() const noexcept { return left_ == 0 && header_sent_ == header_.size(); }
  // Writes until the stream takes no more. Returns the bytes that were taken.
  std::uint64_t flush(Stream& stream);

 private:
  const Pattern& pattern_;
  Position position_;
  std::uint64_t left_ = 0;
  std::string header_;
  std::size_t header_sent_ = 0;
};

enum class Framing {
  messages, // bytes of the pattern only
  counted,  // sink: each start() is announced by a header with the number of bytes
  request,  // source: the header is all that is sent
};

class StreamConnection final : public Connection {
 public:
  StreamConnection(Shared& shared, Outgoing outgoing, std::unique_ptr<Checker> checker,
                   Framing framing, std::size_t size);

  bool open() override;
  void start(std::int64_t count) override;
  std::int64_t ready(std::uint32_t events) override;
  [[nodiscard]] int fd() const override {
    return stream_ ? stream_->fd() : dial_ ? dial_->fd() : -1;
  }
  [[nodiscard]] bool wants_write() const override {
    return stream_ ? !outgoing_.empty() : dial_ && dial_->wants_write();
  }
  [[nodiscard]] bool must_retry() const override {
    return !stream_ && dial_ && dial_->must_retry();
  }

  [[nodiscard]] std::string where() const override {
    return stream_ ? checker_->where() : "is not established";
  }

  // Ends the outgoing side after the last operation; then ended() reads until the server has done
  // the same. Both are for connections that live for one operation.
  void finish() { stream_->finish(); }
  bool ended();

 private:
  std::int64_t receive();
  void flush();

  Shared& shared_;
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<Stream> stream_;
  Outgoing outgoing_;
  std::unique_ptr<Checker> checker_;
  Framing framing_;
  std::size_t size_;
};

} // namespace loopgauge::bench
