// A great many timers at once, each stage of their life by itself.
#include <algorithm>
#include <random>
#include <vector>

#include "clocks.hpp"
#include "loops/core/clock.hpp"
#include "tier/timers.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::int64_t ms = 1'000'000;
// As scenarios/timer/million.py: due within the window, or far behind it; those that are closer to
// each other than the slack may fire in either order.
constexpr std::int64_t window = 40 * ms;
constexpr std::int64_t slack = 20 * ms;
constexpr std::int64_t far = 900'000 * ms;

class MillionTimers final : public Work {
 public:
  MillionTimers(NativeLoop& loop, const std::string& phase, std::size_t count)
      : loop_(loop), stage_(phase == "init"   ? &MillionTimers::init
                            : phase == "fire" ? &MillionTimers::fire
                                              : &MillionTimers::cleanup),
        turn_{on<&MillionTimers::end>, this, {}} {
    for (std::size_t i = 0; i < count; ++i)
      numbers_.push_back({this, static_cast<std::int64_t>(i)});
    for (std::size_t i = 0; i < count; ++i)
      order_.push_back(i);
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(count));
    timers_.reserve(count);
    lead_ = static_cast<std::int64_t>(count) * 200; // to begin with
  }
  ~MillionTimers() override {
    timers_.clear();
    turns(2); // libraries that let go of timers in a later turn do it now
  }

  std::int64_t run(std::int64_t n) override {
    spent_ = 0;
    done_ = 0;
    while (done_ < n) {
      (this->*stage_)();
      done_ += static_cast<std::int64_t>(numbers_.size());
    }
    return done_;
  }

  [[nodiscard]] double value() const override {
    return static_cast<double>(spent_) / static_cast<double>(done_);
  }

 private:
  struct Number {
    MillionTimers* owner;
    std::int64_t number;
    void fired() { owner->fired(number); }
  };

  void init() {
    const std::int64_t began = process_cpu_ns();
    make(core::now_ns() + far);
    turns(1);
    spent_ += process_cpu_ns() - began;
    timers_.clear();
    turns(2);
    require_none_fired();
  }

  void cleanup() {
    make(core::now_ns() + far);
    turns(1);
    const std::int64_t began = process_cpu_ns();
    timers_.clear();
    turns(2);
    spent_ += process_cpu_ns() - began;
    require_none_fired();
  }

  void fire() {
    while (!fire_once())
      lead_ *= 2;
  }

  // No turn passes before all are due, so that the stages do not mix. False, and nothing counts,
  // where the first was due before the last was made: of deadlines that are over when they are
  // given, a library that counts from the moment it is told (libevent) keeps no order.
  bool fire_once() {
    fired_ = 0;
    latest_ = 0;
    disorder_ = 0;
    const std::int64_t start = core::now_ns() + lead_;
    make(start);
    const bool in_time = core::now_ns() < start;
    while (core::now_ns() < start + window + slack) {
    }
    const std::int64_t began = process_cpu_ns();
    loop_.run();
    const std::int64_t spent = process_cpu_ns() - began;
    timers_.clear();
    turns(2);
    const auto count = static_cast<std::int64_t>(numbers_.size());
    if (fired_ != count)
      throw NativeFailure(std::to_string(fired_) + " of " + std::to_string(count) +
                          " timers fired");
    fired_ = 0;
    if (!in_time)
      return false;
    if (disorder_ * window >= slack * count)
      throw NativeFailure("timers did not fire in the order of their deadlines");
    spent_ += spent;
    return true;
  }

  void make(std::int64_t start) {
    const auto count = static_cast<std::int64_t>(numbers_.size());
    for (const std::size_t i : order_) {
      timers_.emplace_back(loop_.table.timer_create(loop_.get(), on<&Number::fired>, &numbers_[i]),
                           loop_.table.timer_destroy, "timer_create");
      const std::int64_t deadline = start + numbers_[i].number * window / count;
      require_done(loop_.table.timer_arm(timers_.back().get(), deadline), "timer_arm");
    }
  }

  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      loop_.post(turn_);
      loop_.run();
    }
  }
  void end() { loop_.stop(); }

  void fired(std::int64_t number) {
    disorder_ = std::max(disorder_, latest_ - number);
    latest_ = std::max(latest_, number);
    if (++fired_ == static_cast<std::int64_t>(numbers_.size()))
      loop_.stop();
  }
  void require_none_fired() const {
    if (fired_ != 0)
      throw NativeFailure(std::to_string(fired_) + " timers fired 15 minutes early");
  }

  NativeLoop& loop_;
  void (MillionTimers::*stage_)();
  loopgauge_task turn_;
  std::vector<Number> numbers_;
  std::vector<std::size_t> order_;
  std::vector<Timer> timers_;
  std::int64_t lead_ = 0; // ns from the first that is made to the first that is due
  std::int64_t spent_ = 0;
  std::int64_t done_ = 0;
  std::int64_t fired_ = 0;
  std::int64_t latest_ = 0;
  std::int64_t disorder_ = 0; // by how many places the worst was late
};

} // namespace

std::unique_ptr<Work> million_timers(NativeLoop& loop, const std::string& phase,
                                     std::size_t count) {
  return std::make_unique<MillionTimers>(loop, phase, count);
}

} // namespace loopgauge::bench
