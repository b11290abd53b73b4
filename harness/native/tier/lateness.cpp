// How late timers fire, and how late the machine itself wakes somebody up.
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <sys/prctl.h>
#include <time.h>
#include <vector>

#include "loops/core/clock.hpp"
#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"
#include "tier/timers.hpp"

namespace loopgauge::bench {
namespace {

using core::now_ns;

void sleep_ns(std::int64_t ns) {
  const timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  (void)::nanosleep(&time, nullptr);
}

// What was late in a run, and the one figure of it that is asked for.
class Record {
 public:
  explicit Record(const std::string& figure)
      : share_(figure == "median"  ? 0.5
               : figure == "p99"   ? 0.99
               : figure == "worst" ? 1.0
                                   : throw NativeFailure("no figure is called " + figure)) {}

  void clear() { late_.clear(); }
  void add(std::int64_t late) { late_.push_back(late); }
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(late_.size()); }

  void require_punctual() const {
    const std::int64_t earliest = *std::min_element(late_.begin(), late_.end());
    if (earliest < 0)
      throw NativeFailure("a timer fired " + std::to_string(-earliest) + " ns early");
  }

  // In microseconds, at least a nanosecond: ratios are taken of it.
  [[nodiscard]] double figure() const {
    std::vector<std::int64_t> sorted = late_;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t last = sorted.size() - 1;
    double ns = 0;
    if (share_ == 0.5)
      ns = static_cast<double>(sorted[last / 2] + sorted[(last + 1) / 2]) / 2;
    else
      ns = static_cast<double>(
          sorted[static_cast<std::size_t>(std::ceil(share_ * static_cast<double>(sorted.size()))) -
                 1]);
    return std::max(ns, 1.0) / 1000;
  }

 private:
  double share_;
  std::vector<std::int64_t> late_;
};

class Lateness final : public Work {
 public:
  Lateness(NativeLoop& loop, std::int64_t delay_ns, bool busy, const std::string& figure)
      : loop_(loop), delay_(delay_ns), busy_(busy),
        record_(figure), arm_{on<&Lateness::arm>, this, {}}, flood_{on<&Lateness::flood>, this, {}},
        timer_(loop.table.timer_create(loop.get(), on<&Lateness::fire>, this),
               loop.table.timer_destroy, "timer_create") {}

  std::int64_t run(std::int64_t n) override {
    n_ = n;
    record_.clear();
    loop_.post(arm_);
    if (busy_ && !flooding_) {
      flooding_ = true;
      loop_.post(flood_);
    }
    loop_.run();
    loop_.table.timer_cancel(timer_.get()); // that of a run that was interrupted
    n_ = 0;
    while (flooding_) // it sees that the run is over
      require_done(loop_.table.poll(loop_.get(), 0), "poll");
    if (extra_ != 0)
      throw NativeFailure("timers fired more often than they were armed");
    if (record_.count() > 0)
      record_.require_punctual();
    return record_.count();
  }

  [[nodiscard]] double value() const override { return record_.figure(); }

 private:
  void arm() {
    armed_ = true;
    due_ = now_ns() + delay_;
    (void)loop_.table.timer_arm(timer_.get(), due_);
  }
  void fire() {
    const std::int64_t fired = now_ns();
    extra_ += !armed_;
    armed_ = false;
    record_.add(fired - due_);
    if (record_.count() < n_)
      arm();
    else
      loop_.stop();
  }
  void flood() {
    flooding_ = record_.count() < n_;
    if (flooding_)
      (void)loop_.table.post(loop_.get(), &flood_);
  }

  NativeLoop& loop_;
  std::int64_t delay_;
  bool busy_;
  Record record_;
  loopgauge_task arm_;
  loopgauge_task flood_;
  Timer timer_;
  std::int64_t n_ = 0;
  std::int64_t due_ = 0;
  std::int64_t extra_ = 0;
  bool armed_ = false;
  bool flooding_ = false;
};

class LatenessFloor final : public Work {
 public:
  LatenessFloor(std::int64_t delay_ns, const std::string& figure)
      : delay_(delay_ns), record_(figure), epoll_(core::sys::epoll_create().value) {}

  std::int64_t run(std::int64_t n) override {
    const int slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    (void)::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); // or the kernel adds 50 us
    record_.clear();
    while (record_.count() < n) {
      const std::int64_t due = now_ns() + delay_;
      wait_until(due);
      record_.add(now_ns() - due);
    }
    (void)::prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
    record_.require_punctual();
    return record_.count();
  }

  [[nodiscard]] double value() const override { return record_.figure(); }

 private:
  void wait_until(std::int64_t due) {
    // Again after a signal.
    for (std::int64_t left = due - now_ns(); left > 0; left = due - now_ns()) {
      const auto waited = core::sys::epoll_pwait2(epoll_.get(), events_, left);
      if (waited.error == ENOSYS || waited.error == EPERM)
        sleep_ns(left);
    }
  }

  std::int64_t delay_;
  Record record_;
  core::UniqueFd epoll_;
  std::array<epoll_event, 1> events_{};
};

} // namespace

std::unique_ptr<Work> lateness(NativeLoop& loop, std::int64_t delay_ns, bool busy,
                               const std::string& figure) {
  return std::make_unique<Lateness>(loop, delay_ns, busy, figure);
}

std::unique_ptr<Work> lateness_floor(std::int64_t delay_ns, const std::string& figure) {
  return std::make_unique<LatenessFloor>(delay_ns, figure);
}

} // namespace loopgauge::bench
