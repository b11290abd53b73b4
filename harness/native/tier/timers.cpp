#include "tier/timers.hpp"

#include <vector>

namespace loopgauge::bench {
namespace {

constexpr std::int64_t second = 1'000'000'000;

class ScheduleCancel final : public Work {
 public:
  static constexpr std::int64_t per_turn = 1000;

  ScheduleCancel(NativeLoop& loop, std::size_t pending)
      : loop_(loop), turn_{on<&ScheduleCancel::turn>, this, {}} {
    // Around the one that comes and goes, none ever due: scenarios/timer/scheduling.py.
    const std::int64_t start = loop.table.now(loop.get()) + 600 * second;
    const std::int64_t step = 600 * second / static_cast<std::int64_t>(pending);
    for (std::size_t i = 0; i < pending; ++i) {
      pending_.push_back(make());
      arm(pending_.back(), start + static_cast<std::int64_t>(i) * step);
    }
    timer_ = make();
  }

  std::int64_t run(std::int64_t n) override {
    n_ = n;
    done_ = 0;
    loop_.post(turn_);
    loop_.run();
    require_done(error_, "timer_arm");
    if (fired_ != 0)
      throw NativeFailure(std::to_string(fired_) + " timers fired that were cancelled or not due");
    return done_;
  }

 private:
  Timer make() {
    return {loop_.table.timer_create(loop_.get(), on<&ScheduleCancel::fire>, this),
            loop_.table.timer_destroy, "timer_create"};
  }
  void arm(const Timer& timer, std::int64_t deadline) {
    require_done(loop_.table.timer_arm(timer.get(), deadline), "timer_arm");
  }

  void turn() {
    // One reading of the clock a turn, as loops have it.
    const std::int64_t deadline = loop_.table.now(loop_.get()) + 900 * second;
    const auto arm = loop_.table.timer_arm;
    const auto cancel = loop_.table.timer_cancel;
    for (std::int64_t i = 0; i < per_turn; ++i) {
      error_ |= arm(timer_.get(), deadline);
      cancel(timer_.get());
    }
    done_ += per_turn;
    if (done_ < n_)
      (void)loop_.table.post(loop_.get(), &turn_);
    else
      loop_.stop();
  }
  void fire() { ++fired_; }

  NativeLoop& loop_;
  loopgauge_task turn_;
  std::vector<Timer> pending_;
  Timer timer_;
  std::int64_t n_ = 0;
  std::int64_t done_ = 0;
  std::int64_t fired_ = 0;
  int error_ = 0;
};

} // namespace

std::unique_ptr<Work> schedule_cancel(NativeLoop& loop, std::size_t pending) {
  return std::make_unique<ScheduleCancel>(loop, pending);
}

} // namespace loopgauge::bench
