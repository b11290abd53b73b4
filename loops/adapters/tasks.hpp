// Queued tasks for libraries that have no queue of their own for callbacks.
#pragma once

#include "loops/core/post.hpp"
#include "loops/core/ready_queue.hpp"
#include "loops/include/loopgauge_native.h"

namespace loopgauge::adapters {

/// What users of libuv and libevent write by themselves: a queue of the loop's thread, and one
/// behind a mutex for the other threads. The adapter makes the library call run_queued() soon.
class Tasks {
 public:
  [[nodiscard]] bool empty() const noexcept { return ready_.empty(); }

  void push(loopgauge_task* task) { ready_.push_back(task); }

  /// From any thread; then wake the loop, which calls take_posted().
  void push_threadsafe(loopgauge_task* task) { inbox_.push(task); }

  void take_posted() {
    inbox_.drain([this](loopgauge_task* task) { ready_.push_back(task); });
  }

  /// Runs exactly what is queued now: a task that queues itself again runs in the next turn, after
  /// the descriptors have been looked at.
  void run_queued() {
    for (std::size_t left = ready_.size(); left > 0; --left) {
      loopgauge_task* task = ready_.pop_front();
      task->run(task->data);
    }
    ready_.trim();
  }

 private:
  core::ReadyQueue<loopgauge_task*> ready_;
  core::Inbox<loopgauge_task*> inbox_;
};

} // namespace loopgauge::adapters
