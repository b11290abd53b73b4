#include "load/waiter.hpp"

#include <ctime>
#include <poll.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::uint64_t control_key = UINT64_MAX;
constexpr std::int64_t millisecond = 1'000'000;

void control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  if (::epoll_ctl(epoll, operation, fd, &event) < 0)
    throw LoadError(Failure::unavailable, with_errno("epoll_ctl", errno));
}

} // namespace

Waiter::Waiter(int control_fd) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_)
    throw LoadError(Failure::unavailable, with_errno("epoll_create1", errno));
  if (control_fd >= 0)
    control(epoll_.get(), EPOLL_CTL_ADD, control_fd, EPOLLIN, control_key);
}

void Waiter::add(int fd, std::uint32_t events, std::size_t key) {
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, key);
}

void Waiter::change(int fd, std::uint32_t events, std::size_t key) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, key);
}

std::span<const epoll_event> Waiter::wait(std::int64_t timeout_ns) {
  int timeout_ms = static_cast<int>(timeout_ns / millisecond);
  if (timeout_ns % millisecond != 0) {
    // epoll_wait knows milliseconds only; ppoll on the epoll descriptor is exact everywhere.
    pollfd self{epoll_.get(), POLLIN, 0};
    const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    (void)::ppoll(&self, 1, &timeout, nullptr);
    timeout_ms = 0;
  }
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count < 0 && errno != EINTR)
    throw LoadError(Failure::unavailable, with_errno("epoll_wait", errno));
  const std::span<const epoll_event> found(events_.data(),
                                           static_cast<std::size_t>(count > 0 ? count : 0));
  for (const epoll_event& event : found)
    if (event.data.u64 == control_key)
      throw LoadError(Failure::stopped, "stopped by the next command");
  return found;
}

} // namespace loopgauge::bench
