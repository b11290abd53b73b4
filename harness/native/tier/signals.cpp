#include "tier/signals.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"

namespace loopgauge::bench {
namespace {

constexpr int number = SIGUSR1;

// To this thread: where it is blocked, as in the floor, another thread would take it and die.
void send_signal() {
  (void)::pthread_kill(::pthread_self(), number); // cannot fail for a thread that runs
}

// Libraries leave the default action behind when they stop watching.
class KeepDisposition {
 public:
  KeepDisposition() { (void)::sigaction(number, nullptr, &former_); }
  ~KeepDisposition() { (void)::sigaction(number, &former_, nullptr); }
  KeepDisposition(const KeepDisposition&) = delete;
  KeepDisposition& operator=(const KeepDisposition&) = delete;

 private:
  struct sigaction former_ {};
};

class Roundtrip final : public Work {
 public:
  explicit Roundtrip(NativeLoop& loop) : loop_(loop), begin_{on<&Roundtrip::begin>, this, {}} {
    if (loop.table.signal_watch == nullptr)
      throw NativeFailure("this backend has no signals");
  }

  std::int64_t run(std::int64_t n) override {
    n_ = n;
    sent_ = got_ = 0;
    const KeepDisposition kept;
    const Signal watched(
        loop_.table.signal_watch(loop_.get(), number, on<&Roundtrip::arrived>, this),
        loop_.table.signal_unwatch, "signal_watch");
    loop_.post(begin_);
    loop_.run();
    if (got_ > sent_)
      throw NativeFailure("the callback ran more often than signals were sent");
    return got_;
  }

 private:
  void begin() { send(); }
  void arrived() {
    ++got_;
    if (sent_ < n_)
      send();
    else if (got_ >= n_)
      loop_.stop();
  }
  void send() {
    ++sent_;
    send_signal();
  }

  NativeLoop& loop_;
  loopgauge_task begin_;
  std::int64_t n_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t got_ = 0;
};

class Floor final : public Work {
 public:
  Floor() : epoll_(core::sys::epoll_create().value) {
    (void)::sigemptyset(&set_);
    (void)::sigaddset(&set_, number);
    signals_.reset(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
    require_done(signals_ ? 0 : errno, "signalfd");
    require_done(
        core::sys::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), EPOLLIN, 0).error,
        "epoll_ctl");
  }

  std::int64_t run(std::int64_t n) override {
    sigset_t former;
    require_done(::pthread_sigmask(SIG_BLOCK, &set_, &former), "pthread_sigmask");
    std::int64_t got = 0;
    while (got < n && receive()) {
      ++got;
    }
    (void)::pthread_sigmask(SIG_SETMASK, &former, nullptr);
    return got;
  }

 private:
  bool receive() {
    send_signal();
    std::array<epoll_event, 1> events{};
    while (core::sys::epoll_wait(epoll_.get(), events, -1).value == 0) {
    }
    signalfd_siginfo info{};
    return ::read(signals_.get(), &info, sizeof info) == sizeof info &&
           info.ssi_signo == static_cast<unsigned>(number);
  }

  sigset_t set_{};
  core::UniqueFd signals_;
  core::UniqueFd epoll_;
};

} // namespace

std::unique_ptr<Work> signal_roundtrip(NativeLoop& loop) {
  return std::make_unique<Roundtrip>(loop);
}

std::unique_ptr<Work> signal_floor() {
  return std::make_unique<Floor>();
}

} // namespace loopgauge::bench
