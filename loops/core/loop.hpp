// The event loop: one turn as a sequence of named phases, for whatever host runs the items.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

#include "clock.hpp"
#include "poll_policy.hpp"
#include "poller.hpp"
#include "ready_queue.hpp"
#include "timer_heap.hpp"
#include "wakeup.hpp"

namespace loopgauge::core {

/// The order of a turn is that of asyncio's _run_once: events of descriptors, then due timers, then
/// exactly what was queued when the run phase began. Creating a Loop makes no system call; the
/// descriptors are opened by the first turn that has to wait, or by the first watch().
///
/// The host owns the items; the loop only carries them. It must be a complete type before the class
/// that has a Loop<Host> member, and supplies:
///
///   using Item = ...;                       trivially copyable, usually a pointer
///   struct TimerTraits { static void set_index(Item, std::size_t) noexcept; };
///   void io(std::uint64_t key, std::uint32_t events);  an event, perhaps of a dead generation:
///   look
///                                           the key up and queue items; run nothing here
///   void timer_due(Item);                   usually ready.push_back(item)
///   bool run(Item);                         the item is consumed; false: leave the loop
///   bool between_turns();                   signals, fairness between threads; false: leave
///   void before_block(); void after_block();  release and take back the host's lock around a wait
///                                           that can block; see Wakeup for what makes this safe
///   using WithoutLock = ...;                optional: there is no such lock
///
/// One thread at a time (the binding: under the GIL), except wakeup.notify(). Throws only
/// std::bad_alloc, from the containers.
template <class Host>
class Loop {
 public:
  using Item = typename Host::Item;
  enum class Turn { again, left };

  explicit Loop(Host& host) noexcept : host_(host) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  ReadyQueue<Item> ready;
  TimerHeap<Item, typename Host::TimerTraits> timers;
  Poller poller;
  Wakeup wakeup;
  PollPolicy policy;
  /// Set by the host: the turn in progress still finishes, and the next one does not wait. The host
  /// looks at it between turns; turn() never does.
  bool stopping = false;

  /// `left`: run() or between_turns() returned false, or the wait failed (then error() says why).
  Turn turn() {
    error_ = 0;
    now_known_ = false;
    if (!collect_events()) {
      return Turn::left;
    }
    expire_timers();
    if (!run_queued()) {
      return Turn::left;
    }
    ready.trim();
    return host_.between_turns() ? Turn::again : Turn::left;
  }

  /// errno of the wait (or of opening the descriptors) in the last turn, or 0. A signal is none.
  [[nodiscard]] int error() const noexcept { return error_; }

  /// After `left`: how many items of that turn had not run, at the front of `ready` unless the host
  /// took them out.
  [[nodiscard]] std::size_t remaining_in_turn() const noexcept { return remaining_; }

  /// Opens epoll and the wake-up eventfd. Idempotent. Errors: EMFILE, ENFILE, ENOMEM; then nothing
  /// stays open.
  Result<int> open() noexcept {
    if (is_open()) {
      return {};
    }
    Result<int> done = poller.open();
    if (done.ok()) {
      done = wakeup.open();
    }
    if (done.ok()) {
      done = poller.add(wakeup.fd(), EPOLLIN | EPOLLET, kWakeupKey);
    }
    if (!done.ok()) {
      close();
    }
    return done;
  }
  [[nodiscard]] bool is_open() const noexcept { return poller.is_open(); }

  /// Closes the descriptors. Items stay with the host to be taken out.
  void close() noexcept {
    poller.close();
    wakeup.close();
    policy.watched = 0;
  }

  /// Begins to watch a descriptor (level-triggered unless `events` has EPOLLET). Opens the loop's
  /// own descriptors first. A registration that watch_once() left behind is taken over. Errors as
  /// of Poller::add and open().
  Result<int> watch(int fd, std::uint32_t events, std::uint64_t key) noexcept {
    Result<int> done = open();
    if (done.ok()) {
      done = poller.add(fd, events, key);
    }
    if (done.error == EEXIST) {
      done = poller.modify(fd, events, key);
    }
    if (done.ok()) {
      ++policy.watched;
      policy.touch();
    }
    return done;
  }

  /// Changes what a watched descriptor is watched for. A number that was closed and reused behind
  /// the loop's back has left epoll by itself: it is registered anew.
  Result<int> rewatch(int fd, std::uint32_t events, std::uint64_t key) noexcept {
    policy.touch();
    const Result<int> done = poller.modify(fd, events, key);
    return done.error == ENOENT ? poller.add(fd, events, key) : done;
  }

  /// Begins to watch a descriptor for one event (`events` has EPOLLONESHOT), after which the kernel
  /// keeps the registration, switched off: so the next time costs one system call instead of two.
  Result<int> watch_once(int fd, std::uint32_t events, std::uint64_t key) noexcept {
    Result<int> done = open();
    if (done.ok()) {
      done = rewatch(fd, events, key);
    }
    if (done.ok()) {
      ++policy.watched;
    }
    return done;
  }

  /// Ends a watch_once() whose event came: nothing has to be told to the kernel.
  void forget_used_up() noexcept {
    if (policy.watched > 0) {
      --policy.watched;
    }
  }

  /// Ends a watch(). To be called once for each, whatever became of the descriptor: ENOENT and
  /// EBADF mean that it was closed first, which needs no reaction.
  Result<int> unwatch(int fd) noexcept {
    if (policy.watched > 0) {
      --policy.watched;
    }
    policy.touch();
    return poller.remove(fd);
  }

 private:
  /// More than 16 a wait gained nothing measurable on 32 connections; 3 KiB carry 256.
  static constexpr std::size_t kEventsPerWait = 256;
  static constexpr std::size_t kCrowd = 8;
  static constexpr int kFailed = -1;
  static constexpr bool kHostHasLock = !requires { typename Host::WithoutLock; };

  // Phase 1. False: the wait failed.
  bool collect_events() {
    const std::int64_t timeout = time_to_wait();
    if (timeout == 0) {
      return !policy.must_poll(stopping, [this] { return turn_now(); }) || look() != kFailed;
    }
    if (kHostHasLock && policy.watched > 0) {
      // Under load the events are already there, and the host's lock (a GIL that others want)
      // need not be given away to fetch them.
      const int found = look();
      if (found != 0) {
        return found != kFailed;
      }
    }
    return sleep(timeout);
  }

  // Phase 2. Strictly never early: the clock is not rounded up to a resolution.
  void expire_timers() {
    if (timers.empty()) {
      return;
    }
    const std::int64_t now = turn_now();
    while (!timers.empty() && timers.top_deadline() <= now) {
      host_.timer_due(timers.pop());
    }
  }

  // Phase 3. False: the host leaves. An item may empty the queue (a host that changes its mode), so
  // the count alone does not say that there is something to pop.
  bool run_queued() {
    for (remaining_ = ready.size(); remaining_ > 0 && !ready.empty();) {
      --remaining_;
      if (!host_.run(ready.pop_front())) {
        return false;
      }
    }
    return true;
  }

  // Nanoseconds; 0: there is work, -1: nothing will happen without an event.
  std::int64_t time_to_wait() noexcept {
    if (!ready.empty() || stopping) {
      return 0;
    }
    if (timers.empty() || timers.top_deadline() == kNever) {
      return -1;
    }
    const std::int64_t now = turn_now();
    return timers.top_deadline() <= now ? 0 : timers.top_deadline() - now;
  }

  // Polls without blocking, the host's lock held. Number of events, or kFailed.
  int look() {
    if (!ensure_open()) {
      return kFailed;
    }
    policy.polled(turn_now());
    return dispatch(poller.wait(events_, 0));
  }

  // Waits for an event, a timer, a notify() or a signal. False: the wait failed.
  bool sleep(std::int64_t timeout) {
    if (!ensure_open()) {
      return false;
    }
    wakeup.prepare_sleep();
    host_.before_block();
    const Result<int> got = poller.wait(events_, timeout);
    // Before after_block(), which can take long: from here on producers need not write.
    wakeup.finish_sleep();
    host_.after_block();
    now_known_ = false;
    if (policy.watched > 0) {
      policy.polled(turn_now());
    }
    return dispatch(got) != kFailed;
  }

  int dispatch(const Result<int>& got) {
    if (got.error == EINTR) {
      return 0; // between_turns() looks after the signal
    }
    if (!got.ok()) {
      error_ = got.error;
      return kFailed;
    }
    const auto count = static_cast<std::size_t>(got.value);
    // Whoever is served last in a turn has the least time to be ready for the next one, and epoll
    // reports the latecomer last again: it would be served every other turn. So the last place goes
    // round, where there are enough that nobody can rely on an order.
    const std::size_t first = count >= kCrowd ? rotation_++ % count : 0;
    report(std::span(events_).first(count).subspan(first));
    report(std::span(events_).first(first));
    if (count == kEventsPerWait) {
      policy.touch(); // more may be waiting
    }
    return got.value;
  }

  void report(std::span<const epoll_event> events) {
    for (const epoll_event& event : events) {
      if (event.data.u64 != kWakeupKey) {
        host_.io(event.data.u64, event.events);
      }
    }
  }

  bool ensure_open() noexcept {
    error_ = open().error;
    return error_ == 0;
  }

  // One reading of the clock a turn, made only when something asks, and again after a sleep.
  std::int64_t turn_now() noexcept {
    if (!now_known_) {
      now_ = now_ns();
      now_known_ = true;
    }
    return now_;
  }

  Host& host_;
  std::size_t remaining_ = 0;
  std::size_t rotation_ = 0; // of the events of a turn
  std::int64_t now_ = 0;
  bool now_known_ = false;
  int error_ = 0;
  std::array<epoll_event, kEventsPerWait> events_;
};

} // namespace loopgauge::core
