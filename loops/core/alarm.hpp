// A clock that ends a wait at its deadline, where a timeout would end it later.
#pragma once

#include <cstdint>

#include "fd.hpp"
#include "poller.hpp"
#include "syscall.hpp"

namespace loopgauge::core {

/// The kernel may end an epoll wait later than its timeout by the thread's timer slack (50 us
/// unless somebody changed it) or a thousandth of the timeout, whichever is more: see `man 2
/// prctl`, PR_SET_TIMERSLACK, and select_estimate_accuracy() in the kernel's fs/select.c. A timerfd
/// has no slack. On the machine this was written on, a wait for 1 ms ends 66 us late with a timeout
/// and 10 us late with a timerfd. Changing the slack would do the same, but the thread belongs to
/// the program, not to one of its loops.
///
/// It is set once per deadline, not once per wait: one that rings for a timer which was cancelled
/// meanwhile costs one turn with nothing to do. It is registered with EPOLLIN | EPOLLET, so it
/// never needs to be read: setting it again takes back that it rang.
class Alarm {
 public:
  /// Waits longer than this are left to their timeout, which the kernel may then combine with
  /// others' to save wake-ups: a thousandth of them is a millisecond or more.
  static constexpr std::int64_t kLongestNs = 1'000'000'000;

  using Create = Result<int> (*)() noexcept;
  explicit Alarm(Create create = &sys::timerfd) noexcept : create_(create) {}

  /// True: a wait on `poller` without end is over as soon as now_ns() is `deadline`, or earlier.
  /// False where that cannot be had (no descriptors left, a seccomp filter, a forked child, in
  /// which it would set the parent's clock): then the wait needs a timeout. Opens the clock when it
  /// is first needed. `deadline` is positive.
  bool set(Poller& poller, std::int64_t deadline) noexcept;

  /// To be called for an event of kAlarmKey: there will be no other until it is set again.
  void rang() noexcept { set_for_ = 0; }

  void close() noexcept;

 private:
  bool open(Poller& poller) noexcept;

  Create create_;
  UniqueFd timer_;
  std::int64_t set_for_ = 0; // the deadline; 0: not set
  bool refused_ = false;     // is not asked for again before close()
};

} // namespace loopgauge::core
