// Request and answer over a connected datagram socket. Loopback and Unix datagrams keep their
// order, so an answer that is not the next one means that one was lost.
#pragma once

#include "load/connection.hpp"

namespace loopgauge::bench {

class DatagramConnection final : public Connection {
 public:
  DatagramConnection(Shared& shared, const Pattern& pattern, Position start, std::size_t size);

  bool open() override;
  void start(std::int64_t count) override;
  std::int64_t ready(std::uint32_t events) override;
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] bool wants_write() const override { return sent_ < asked_; }
  [[nodiscard]] std::string where() const override {
    return "for the answer to datagram " + std::to_string(answered_);
  }

 private:
  void send();
  [[nodiscard]] std::span<const char> datagram(std::uint64_t number) const;
  void check(std::span<const char> data) const;

  Shared& shared_;
  const Pattern& pattern_;
  Position start_;
  std::size_t size_;
  core::UniqueFd fd_;
  std::uint64_t asked_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

} // namespace loopgauge::bench
