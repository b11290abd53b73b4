// How much later than asked the kernel wakes a thread up.
#pragma once

#include <cstdint>

namespace loopgauge::core {

/// Linux ends a timed epoll wait anywhere between its timeout and some slack later, and in general
/// at the end of that range: that is where the hardware timer is set, and the beginning counts only
/// if an interrupt comes by. A millisecond is 64 us late by that, on a machine that wakes up in 10.
/// So whoever wants to be punctual asks for the time minus the slack, and waits once more if it was
/// woken early. (A timerfd has no slack, but costs a system call for every new deadline;
/// PR_SET_TIMERSLACK would change the thread for everybody, children included.)
///
/// The range is fs/select.c's select_estimate_accuracy(): a thousandth of the timeout (a
/// two-hundredth where nice is above 0), at most 100 ms, at least the thread's slack, which is 50
/// us unless somebody changed it. Threads of a real-time policy have none.
class TimerSlack {
 public:
  /// Of the calling thread; asks the kernel once per thread. A later change of the thread's slack
  /// or priority makes waits less punctual or a little busier, never early.
  static const TimerSlack& of_thread() noexcept;

  constexpr TimerSlack(std::int64_t least_ns, std::int64_t divisor) noexcept
      : least_ns_(least_ns), divisor_(divisor) {}

  /// For a wait of `timeout_ns`, which is above 0.
  [[nodiscard]] constexpr std::int64_t of(std::int64_t timeout_ns) const noexcept {
    if (least_ns_ == 0) {
      return 0;
    }
    const std::int64_t estimate = timeout_ns / divisor_;
    const std::int64_t bounded = estimate < kMost ? estimate : kMost;
    return bounded > least_ns_ ? bounded : least_ns_;
  }

 private:
  static constexpr std::int64_t kMost = 100'000'000;

  std::int64_t least_ns_;
  std::int64_t divisor_;
};

} // namespace loopgauge::core
