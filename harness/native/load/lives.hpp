// Connections that live for one operation each: connect, one message there and back, end of file in
// both directions, close.
#pragma once

#include "load/connection.hpp"

namespace loopgauge::bench {

class ConnectionLives final : public Connection {
 public:
  // `size` 0: no message.
  ConnectionLives(Shared& shared, const Pattern& pattern, Position start, std::size_t size);

  bool open() override { return true; }
  void start(std::int64_t count) override; // count: 1
  std::int64_t ready(std::uint32_t events) override;
  [[nodiscard]] int fd() const override { return life_ ? life_->fd() : -1; }
  [[nodiscard]] std::uint32_t generation() const override { return generation_; }
  [[nodiscard]] bool wants_write() const override { return life_ && life_->wants_write(); }
  [[nodiscard]] bool must_retry() const override { return life_ && life_->must_retry(); }
  [[nodiscard]] std::string where() const override;

 private:
  enum class Stage { opening, talking, ending };
  void begin();
  void finish();

  Shared& shared_;
  const Pattern& pattern_;
  Position start_;
  std::size_t size_;
  std::unique_ptr<StreamConnection> life_;
  Stage stage_ = Stage::opening;
  std::uint32_t generation_ = 0;
};

} // namespace loopgauge::bench
