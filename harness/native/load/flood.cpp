#include "load/flood.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::uint64_t between_asks = 16;
constexpr std::size_t receipt_size = 8;

} // namespace

FloodConnection::FloodConnection(Shared& shared, const Pattern& pattern, std::size_t size)
    : shared_(shared), datagram_(size, '\0') {
  const auto block = pattern.at(0, size);
  std::copy(block.begin() + smallest, block.end(), datagram_.begin() + smallest);
}

bool FloodConnection::open() {
  fd_ = connect_datagrams(shared_.target);
  return true;
}

void FloodConnection::start(std::int64_t count) {
  wanted_ += static_cast<std::uint64_t>(count);
  send();
}

void FloodConnection::send() {
  blocked_ = false;
  while (sent_ < wanted_ && sent_ - received_ < under_way) {
    const bool ask = (sent_ + 1) % between_asks == 0 || sent_ + 1 == wanted_;
    datagram_[0] = static_cast<char>(ask);
    datagram_[1] = static_cast<char>(sent_ & 0xff);
    if (::send(fd_.get(), datagram_.data(), datagram_.size(), MSG_NOSIGNAL) < 0) {
      blocked_ = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
      if (blocked_)
        return;
      throw LoadError(Failure::lost, with_errno("sending a datagram", errno));
    }
    ++sent_;
    ++shared_.progress;
    if (ask)
      asks_.push_back(sent_);
  }
}

std::int64_t FloodConnection::ready(std::uint32_t events) {
  const std::uint64_t before = received_;
  while (!asks_.empty() && (events & ~static_cast<std::uint32_t>(EPOLLOUT))) {
    const std::uint64_t count = read_receipt();
    if (count == 0)
      break;
    if (count < asks_.front())
      throw LoadError(Failure::lost, std::to_string(asks_.front() - count) + " of " +
                                         std::to_string(asks_.front()) + " datagrams were lost");
    if (count > asks_.front())
      throw LoadError(Failure::wrong, "the server received " + std::to_string(count) + " of " +
                                          std::to_string(asks_.front()) + " datagrams");
    received_ = count;
    asks_.pop_front();
    ++shared_.progress;
  }
  send();
  return static_cast<std::int64_t>(received_ - before);
}

// 0: there is none.
std::uint64_t FloodConnection::read_receipt() {
  const ssize_t got = ::recv(fd_.get(), shared_.buffer.data(), shared_.buffer.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return 0;
    throw LoadError(Failure::lost, with_errno("reading a receipt", errno));
  }
  if (got != receipt_size)
    throw LoadError(Failure::wrong, "a receipt has " + std::to_string(got) + " bytes, not 8");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < receipt_size; ++i)
    count = count << 8 | static_cast<unsigned char>(shared_.buffer[i]);
  if (count == 0)
    throw LoadError(Failure::wrong, "a receipt for no datagram");
  return count;
}

} // namespace loopgauge::bench
