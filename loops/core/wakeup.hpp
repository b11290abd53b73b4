// Waking a loop that sleeps in epoll, from another thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "fd.hpp"
#include "syscall.hpp"

namespace loopgauge::core {

/// An eventfd that is written only when the loop sleeps, and once per sleep: a post to a running
/// loop costs one load. The owner registers it with EPOLLIN | EPOLLET: every write is an edge, so
/// it never needs to be read (the counter would overflow after 2^64 writes).
///
/// Why no wake-up is lost. Work is posted under a lock L (the GIL in the binding, the mutex of the
/// inbox natively). The producer pushes under L and then calls notify(); the loop calls
/// prepare_sleep(), and *after* that looks at the queue under L (the binding still holds the GIL
/// under which it found the queue empty; the native loop looks into its inbox in before_block()).
/// L puts the push either before that look, and the loop sees the work and does not sleep, or
/// after it, and then also after prepare_sleep(): notify() sees `sleeping` and writes. A write that
/// comes before the wait is an edge that stays pending in epoll, so the wait ends at once.
///
/// A signal handler of the loop's own thread is no such producer: it can run between the look and
/// prepare_sleep(). Signals come through SignalPipe, which is always written.
class Wakeup {
 public:
  /// Idempotent. Errors: EMFILE, ENFILE, ENOMEM.
  Result<int> open() noexcept;
  /// No notify() may be running.
  void close() noexcept { event_.reset(); }
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

  void prepare_sleep() noexcept { sleeping.store(true); }
  void finish_sleep() noexcept { sleeping.store(false); }

  /// From any thread, after pushing. Async-signal-safe, keeps errno.
  void notify() noexcept {
    // The exchange lets one of many producers write: the loop may need long to get its lock back.
    if (sleeping.load() && sleeping.exchange(false)) {
      write_event();
    }
  }

  std::atomic<bool> sleeping{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "notify() is called in signal handlers");

 private:
  void write_event() const noexcept;

  UniqueFd event_;
};

} // namespace loopgauge::core
