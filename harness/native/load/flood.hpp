// Datagrams one way, as fast as the server takes them: it answers those that ask for a receipt.
//
// A datagram is a byte that is 1 if it asks, the low byte of its number, and bytes of the pattern.
// A receipt is 8 bytes, big-endian: how many datagrams the server has received from this client. So
// no more are under way than a socket's buffer holds, and one that was lost is known.
#pragma once

#include <deque>

#include "load/connection.hpp"

namespace loopgauge::bench {

class FloodConnection final : public Connection {
 public:
  FloodConnection(Shared& shared, const Pattern& pattern, std::size_t size);

  bool open() override;
  void start(std::int64_t count) override;
  std::int64_t ready(std::uint32_t events) override;
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] bool wants_write() const override { return blocked_; }
  [[nodiscard]] std::string where() const override {
    return "for the receipt of datagram " + std::to_string(received_);
  }

  static constexpr std::size_t smallest = 2;     // bytes of a datagram: what precedes the pattern
  static constexpr std::size_t largest = 1472;   // one packet of an Ethernet
  static constexpr std::uint64_t under_way = 64; // 2 304 bytes each at most, of a buffer's 212 992

 private:
  void send();
  std::uint64_t read_receipt();

  Shared& shared_;
  core::UniqueFd fd_;
  std::string datagram_;
  std::uint64_t wanted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;     // as the last receipt says
  std::deque<std::uint64_t> asks_; // what the receipts to come must say
  bool blocked_ = false;           // the socket takes no more at the moment
};

} // namespace loopgauge::bench
