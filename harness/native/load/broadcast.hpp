// WebSocket clients (RFC 6455, no extensions) of a server that sends every message it gets to all.
//
// One of them speaks: it sends messages, up to `depth` of which have not come back to it. All of
// them, the speaker too, must get each message, whole, once and in order.
#pragma once

#include "load/connection.hpp"

namespace loopgauge::bench {

class BroadcastConnection final : public Connection {
 public:
  BroadcastConnection(Shared& shared, const Pattern& pattern, std::size_t size, bool speaks,
                      std::uint64_t depth);

  bool open() override; // connects, and asks for the WebSocket
  void start(std::int64_t count) override;
  std::int64_t ready(std::uint32_t events) override;
  [[nodiscard]] int fd() const override {
    return stream_ ? stream_->fd() : dial_ ? dial_->fd() : -1;
  }
  [[nodiscard]] bool wants_write() const override {
    return stream_ ? written_ < outgoing_.size() : dial_ && dial_->wants_write();
  }
  [[nodiscard]] bool must_retry() const override {
    return !stream_ && dial_ && dial_->must_retry();
  }
  [[nodiscard]] std::string where() const override;

 private:
  bool dial();
  bool shake_hands();
  void speak();
  void flush();
  std::int64_t consume(std::string_view data);
  std::size_t take_header(std::string_view data);
  std::size_t take_payload(std::string_view data);

  Shared& shared_;
  const Pattern& pattern_;
  std::size_t size_;
  bool speaks_;
  std::uint64_t depth_;
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<Stream> stream_;
  std::string outgoing_;
  std::size_t written_ = 0;
  bool open_ = false;
  std::string head_;             // what has come of the answer to the request, then of a frame
  std::size_t payload_left_ = 0; // of the frame that is coming
  std::uint64_t wanted_ = 0;     // messages
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

} // namespace loopgauge::bench
