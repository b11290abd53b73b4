// Items handed to a loop by other threads.
#pragma once

#include <atomic>
#include <mutex>

#include "ready_queue.hpp"

namespace loopgauge::core {

/// A queue behind a mutex, which is the lock L of Wakeup: push(), then notify(). The binding has
/// the GIL for this and pushes to `ready` directly.
template <class T>
class Inbox {
 public:
  /// From any thread. May throw std::bad_alloc; then nothing was queued.
  void push(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(item);
    filled_.store(true, std::memory_order_relaxed);
  }

  /// Takes the lock: what was pushed before this call is seen.
  [[nodiscard]] bool empty() {
    const std::lock_guard lock(mutex_);
    return items_.empty();
  }

  /// Calls `f(T)` with the lock held for each item, oldest first: `f` must not push. A push of
  /// another thread may be missed until the next call, so before a sleep ask empty().
  template <class F>
  void drain(F&& f) {
    if (!filled_.load(std::memory_order_relaxed)) {
      return; // every turn asks: no lock where nothing was posted
    }
    const std::lock_guard lock(mutex_);
    while (!items_.empty()) {
      f(items_.pop_front());
    }
    items_.trim();
    filled_.store(false, std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;
  ReadyQueue<T> items_;
  std::atomic<bool> filled_{false};
};

} // namespace loopgauge::core
