#include "load/datagrams.hpp"

#include <algorithm>
#include <sys/epoll.h>

#include "load/error.hpp"

namespace loopgauge::bench {

DatagramConnection::DatagramConnection(Shared& shared, const Pattern& pattern, Position start,
                                       std::size_t size)
    : shared_(shared), pattern_(pattern), start_(start), size_(size) {}

bool DatagramConnection::open() {
  fd_ = connect_datagrams(shared_.target);
  return true;
}

std::span<const char> DatagramConnection::datagram(std::uint64_t number) const {
  return pattern_.at(start_ + number * size_, size_);
}

void DatagramConnection::start(std::int64_t count) {
  asked_ += static_cast<std::uint64_t>(count);
  send();
}

void DatagramConnection::send() {
  for (; sent_ < asked_; ++sent_) {
    const auto data = datagram(sent_);
    if (::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL) < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        return;
      throw LoadError(Failure::lost, with_errno("sending a datagram", errno));
    }
    ++shared_.progress;
  }
}

std::int64_t DatagramConnection::ready(std::uint32_t events) {
  const std::uint64_t before = answered_;
  while (events & ~static_cast<std::uint32_t>(EPOLLOUT)) {
    const ssize_t got = ::recv(fd_.get(), shared_.buffer.data(), shared_.buffer.size(), 0);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR)
        break;
      throw LoadError(Failure::lost, with_errno("reading a datagram", errno));
    }
    check({shared_.buffer.data(), static_cast<std::size_t>(got)});
    ++answered_;
    ++shared_.progress;
    shared_.received += static_cast<std::uint64_t>(got);
    if (answered_ == sent_)
      break; // nothing more can be there
  }
  send();
  return static_cast<std::int64_t>(answered_ - before);
}

void DatagramConnection::check(std::span<const char> data) const {
  const auto equals = [&](std::uint64_t number) {
    const auto expected = datagram(number);
    return std::equal(expected.begin(), expected.end(), data.begin(), data.end());
  };
  if (answered_ < sent_ && equals(answered_))
    return;
  for (std::uint64_t number = answered_ + 1; number < sent_; ++number)
    if (equals(number))
      throw LoadError(Failure::lost, "datagram " + std::to_string(answered_) + " was lost: " +
                                         std::to_string(number) + " was answered before it");
  throw LoadError(Failure::wrong, "wrong bytes, or the wrong number of them (" +
                                      std::to_string(data.size()) +
                                      "), in the answer to datagram " + std::to_string(answered_));
}

} // namespace loopgauge::bench
