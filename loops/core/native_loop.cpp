#include "native_loop.hpp"

#include <algorithm>
#include <array>
#include <signal.h>

namespace loopgauge::core {
namespace {

// Signal handlers have no argument of their own, so what they reach is one per process.
struct SignalOwner {
  std::atomic<NativeLoop*> loop{nullptr};
  std::atomic<int> write_fd{-1};
  std::array<Callback*, NSIG> callbacks{};
  std::array<struct sigaction, NSIG> former{};
};
SignalOwner g_signals; // NOLINT(*-avoid-non-const-global-variables)

void forward_signal(int signum) {
  send_signal_byte(g_signals.write_fd.load(), static_cast<std::uint8_t>(signum));
}

std::uint32_t interest(const NativeLoop::Watch& watch) noexcept {
  return (watch.reader != nullptr ? std::uint32_t{EPOLLIN} : 0U) |
         (watch.writer != nullptr ? std::uint32_t{EPOLLOUT} : 0U);
}

} // namespace

NativeLoop::~NativeLoop() {
  for (int signum = 1; signum < NSIG; ++signum) {
    (void)watch_signal(signum, nullptr);
  }
}

int NativeLoop::run() {
  loop_.stopping = false;
  loop_.policy.begin_run();
  host_.between_turns(); // what was posted before the run
  while (loop_.turn() == Loop<Host>::Turn::again) {
    if (loop_.stopping) {
      return 0;
    }
  }
  return loop_.error();
}

int NativeLoop::run_once(bool wait) {
  loop_.stopping = !wait; // a turn that is to be the last does not wait
  loop_.policy.begin_run();
  host_.between_turns();
  (void)loop_.turn();
  return loop_.error();
}

void NativeLoop::call_at(std::int64_t deadline_ns, Callback& callback) {
  cancel_timer(callback);
  loop_.timers.push(deadline_ns, &callback);
}

bool NativeLoop::cancel_timer(Callback& callback) noexcept {
  if (callback.timer_index == Callback::kNotScheduled) {
    return false;
  }
  loop_.timers.remove(callback.timer_index);
  return true;
}

void NativeLoop::post(Callback& callback) {
  inbox_.push(&callback);
  loop_.wakeup.notify();
}

Result<int> NativeLoop::watch_read(int fd, Callback* callback) {
  return set_watch(fd, &Watch::reader, callback);
}

Result<int> NativeLoop::watch_write(int fd, Callback* callback) {
  return set_watch(fd, &Watch::writer, callback);
}

Result<int> NativeLoop::set_watch(int fd, Callback* Watch::*side, Callback* callback) {
  Watch* watch = watches_.at(fd);
  if (watch == nullptr) {
    if (fd < 0 || callback == nullptr) {
      return Result<int>::failed(fd < 0 ? EBADF : 0);
    }
    Watch fresh;
    fresh.*side = callback;
    const Result<int> done = loop_.watch(fd, interest(fresh), watches_.open(fd, fresh));
    if (!done.ok()) {
      watches_.close(fd);
    }
    return done;
  }
  drop_queued(watch->*side);
  watch->*side = callback;
  if (interest(*watch) == 0) {
    watches_.close(fd);
    return loop_.unwatch(fd);
  }
  return loop_.rewatch(fd, interest(*watch), watches_.key_of(fd));
}

Result<int> NativeLoop::take_signals() {
  NativeLoop* nobody = nullptr;
  if (!g_signals.loop.compare_exchange_strong(nobody, this) && nobody != this) {
    return Result<int>::failed(EBUSY);
  }
  Result<int> done;
  if (!signals_.is_open()) {
    done = signals_.open();
    if (done.ok()) {
      // Counts as watched: a busy loop must see the byte, too.
      done = loop_.watch(signals_.read_fd(), EPOLLIN, kSignalKey);
    }
    if (!done.ok()) {
      signals_.close();
    }
  }
  g_signals.write_fd.store(signals_.write_fd());
  return done;
}

// The pipe stays for the next time.
void NativeLoop::leave_signals_if_unused() {
  const auto& used = g_signals.callbacks;
  if (std::all_of(used.begin(), used.end(), [](auto* callback) { return callback == nullptr; })) {
    g_signals.write_fd.store(-1);
    g_signals.loop.store(nullptr);
  }
}

Result<int> NativeLoop::watch_signal(int signum, Callback* callback) {
  if (signum < 1 || signum >= NSIG) {
    return Result<int>::failed(EINVAL);
  }
  const auto index = static_cast<std::size_t>(signum);
  if (callback == nullptr) {
    if (g_signals.loop.load() == this && g_signals.callbacks[index] != nullptr) {
      (void)::sigaction(signum, &g_signals.former[index], nullptr);
      g_signals.callbacks[index] = nullptr;
      leave_signals_if_unused();
    }
    return {};
  }
  Result<int> done = take_signals();
  if (done.error == EBUSY) {
    return done;
  }
  if (done.ok() && g_signals.callbacks[index] == nullptr) {
    struct sigaction action = {};
    action.sa_handler = &forward_signal;
    action.sa_flags = SA_RESTART; // only epoll is interrupted, which never restarts
    (void)::sigfillset(&action.sa_mask);
    if (::sigaction(signum, &action, &g_signals.former[index]) < 0) {
      done = Result<int>::failed(errno);
    }
  }
  if (done.ok()) {
    g_signals.callbacks[index] = callback;
  } else {
    leave_signals_if_unused();
  }
  return done;
}

void NativeLoop::forget(Callback& callback) noexcept {
  cancel_timer(callback);
  drop_queued(&callback);
}

void NativeLoop::drop_queued(const Callback* callback) noexcept {
  loop_.ready.for_each([callback](Callback*& queued) {
    if (queued == callback) {
      queued = nullptr;
    }
  });
}

void NativeLoop::Host::io(std::uint64_t key, std::uint32_t events) {
  if (key == kSignalKey) {
    owner.signals_.drain([this](std::uint8_t signum) {
      const bool is_ours = g_signals.loop.load() == &owner; // a byte may be older than its owner
      if (is_ours && signum < NSIG && g_signals.callbacks[signum] != nullptr) {
        owner.call_soon(*g_signals.callbacks[signum]);
      }
    });
    return;
  }
  const Watch* watch = owner.watches_.get(key);
  if (watch == nullptr) {
    return; // an event of a generation that is over
  }
  // Errors and hang-ups go to both sides: whoever reads or writes next learns the errno.
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && watch->reader != nullptr) {
    owner.call_soon(*watch->reader);
  }
  if ((events & ~std::uint32_t{EPOLLIN}) != 0 && watch->writer != nullptr) {
    owner.call_soon(*watch->writer);
  }
}

void NativeLoop::Host::timer_due(Item item) {
  owner.call_soon(*item);
}

bool NativeLoop::Host::run(Item item) const {
  if (item != nullptr) { // null: forgotten while it was queued
    item->function(item->data);
  }
  return true;
}

bool NativeLoop::Host::between_turns() {
  owner.inbox_.drain([this](Callback* callback) { owner.loop_.ready.push_back(callback); });
  return true;
}

void NativeLoop::Host::before_block() {
  // After prepare_sleep(), as Wakeup demands: a post that nobody has seen makes the wait end.
  if (!owner.inbox_.empty()) {
    owner.loop_.wakeup.notify();
  }
}

} // namespace loopgauge::core
