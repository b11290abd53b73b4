// A complete event loop without Python: the core with C++ callbacks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "loop.hpp"
#include "post.hpp"
#include "signal_pipe.hpp"
#include "slot_table.hpp"

namespace loopgauge::core {

/// What the native loop runs. The caller owns it and keeps it alive and in place while it is
/// queued, scheduled or watching; NativeLoop::forget() ends all of that.
struct Callback {
  static constexpr std::size_t kNotScheduled = static_cast<std::size_t>(-1);

  void (*function)(void*) = nullptr;
  void* data = nullptr;
  std::size_t timer_index = kNotScheduled; // written by the timer heap
};

/// Makes no system call until it has to wait or to watch. Everything but post() belongs to the
/// thread that runs the loop. Results carry an errno; std::bad_alloc is the only exception.
class NativeLoop {
 public:
  NativeLoop() : loop_(host_) {}
  ~NativeLoop();
  NativeLoop(const NativeLoop&) = delete;
  NativeLoop& operator=(const NativeLoop&) = delete;

  /// Runs until stop(). Returns 0, or the errno of a failed wait.
  int run();
  /// One turn; with `wait` it sleeps until something happens. Returns as run() does.
  int run_once(bool wait);
  /// The turn in progress still finishes.
  void stop() noexcept { loop_.stopping = true; }

  /// Runs once, in the next turn. May be queued more than once.
  void call_soon(Callback& callback) { loop_.ready.push_back(&callback); }
  /// Runs once, not before `deadline_ns` of now_ns(). A pending deadline is replaced.
  void call_at(std::int64_t deadline_ns, Callback& callback);
  /// False when it was not scheduled (any more).
  bool cancel_timer(Callback& callback) noexcept;
  /// call_soon() from any thread.
  void post(Callback& callback);

  /// Runs `callback` in every turn in which `fd` is ready, or never again for nullptr. What was
  /// queued for the old callback does not run any more. Stop watching before closing `fd`.
  Result<int> watch_read(int fd, Callback* callback);
  Result<int> watch_write(int fd, Callback* callback);

  /// Runs `callback` for every delivery of `signum`, or restores the former action for nullptr.
  /// One loop of the process at a time may watch signals: EBUSY for the others.
  Result<int> watch_signal(int signum, Callback* callback);

  /// Takes `callback` out of the queue and the timers. Linear in the length of the queue.
  void forget(Callback& callback) noexcept;

  /// Lets tests and tools reach the engine (poll policy, queue, timers).
  struct Host;
  [[nodiscard]] Loop<Host>& engine() noexcept { return loop_; }

  struct Watch {
    Callback* reader = nullptr;
    Callback* writer = nullptr;
  };

  struct Host {
    using Item = Callback*;
    using WithoutLock = void;
    struct TimerTraits {
      static void set_index(Item item, std::size_t index) noexcept { item->timer_index = index; }
    };

    NativeLoop& owner;

    void io(std::uint64_t key, std::uint32_t events);
    void timer_due(Item item);
    bool run(Item item) const;
    bool between_turns();
    void before_block();
    void after_block() const noexcept {}
  };

 private:
  Result<int> set_watch(int fd, Callback* Watch::*side, Callback* callback);
  Result<int> take_signals();
  void leave_signals_if_unused();
  void drop_queued(const Callback* callback) noexcept;

  Host host_{*this};
  Loop<Host> loop_;
  SlotTable<Watch> watches_;
  Inbox<Callback*> inbox_;
  SignalPipe signals_;
};

} // namespace loopgauge::core
