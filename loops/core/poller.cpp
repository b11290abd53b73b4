#include "poller.hpp"

#include "clock.hpp"
#include "fork.hpp"
#include "timer_slack.hpp"

namespace loopgauge::core {

Result<int> Poller::open() noexcept {
  if (is_open()) {
    return {};
  }
  const Result<int> created = sys::epoll_create();
  if (!created.ok()) {
    return created;
  }
  epoll_.reset(created.value);
  opened_in_ = fork_generation();
  return {};
}

bool Poller::is_foreign() const noexcept {
  return is_open() && opened_in_ != fork_generation();
}

Result<int> Poller::add(int fd, std::uint32_t events, std::uint64_t key) noexcept {
  return control(EPOLL_CTL_ADD, fd, events, key);
}

Result<int> Poller::modify(int fd, std::uint32_t events, std::uint64_t key) noexcept {
  return control(EPOLL_CTL_MOD, fd, events, key);
}

Result<int> Poller::remove(int fd) noexcept {
  return is_foreign() ? Result<int>{} : control(EPOLL_CTL_DEL, fd, 0, 0);
}

Result<int> Poller::control(int operation, int fd, std::uint32_t events,
                            std::uint64_t key) noexcept {
  if (is_foreign()) {
    return Result<int>::failed(EBADF);
  }
  return sys::epoll_ctl(epoll_.get(), operation, fd, events, key);
}

Result<int> Poller::wait(std::span<epoll_event> events, std::int64_t timeout_ns) noexcept {
  if (is_foreign()) {
    return Result<int>::failed(EBADF);
  }
  if (timeout_ns <= 0) {
    return sys::epoll_wait(epoll_.get(), events, timeout_ns < 0 ? -1 : 0);
  }
  if (precise_wait_ != nullptr) {
    const Result<int> waited = wait_punctually(events, timeout_ns);
    if (waited.error != ENOSYS && waited.error != EPERM) {
      return waited;
    }
    precise_wait_ = nullptr;
  }
  return sys::epoll_wait(epoll_.get(), events, ns_to_ms_rounded_up(timeout_ns));
}

// A wait that ends at the beginning of its range is begun again, for the rest: two or three times
// for the longest, because what is left is a thousandth of what there was.
Result<int> Poller::wait_punctually(std::span<epoll_event> events,
                                    std::int64_t timeout_ns) noexcept {
  const TimerSlack& slack = TimerSlack::of_thread();
  const std::int64_t now = now_ns();
  const std::int64_t deadline = timeout_ns < kNever - now ? now + timeout_ns : kNever;
  for (std::int64_t left = timeout_ns;;) {
    const std::int64_t early = slack.of(left) < left ? slack.of(left) : 0;
    const Result<int> waited = precise_wait_(epoll_.get(), events, left - early);
    if (waited.value != 0 || !waited.ok() || early == 0) {
      return waited;
    }
    left = deadline - now_ns();
    if (left <= 0) {
      return waited;
    }
  }
}

} // namespace loopgauge::core
