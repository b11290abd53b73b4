// Timers, as loopgauge_native.h promises.
#include <algorithm>
#include <memory>

#include "backend.hpp"

namespace loopgauge::adapters {
namespace {

class BackendTimers : public Backend {};

TEST_P(BackendTimers, PollWaitsForATimer) {
  bool fired = false;
  auto due = [&] { fired = true; };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  ASSERT_NE(timer, nullptr);
  const std::int64_t deadline = table->now(loop) + 3 * ms;
  ASSERT_EQ(table->timer_arm(timer, deadline), 0);
  while (!fired)
    ASSERT_EQ(table->poll(loop, 1), 0);
  EXPECT_GE(table->now(loop), deadline);
  table->timer_destroy(timer);
}

TEST_P(BackendTimers, TimersAreNeverEarlyAndInTheOrderOfTheirDeadlines) {
  struct Due {
    Backend* test;
    const loopgauge_backend* table;
    loopgauge_loop* loop;
    std::vector<int>* order;
    std::int64_t deadline;
    int number;
    std::int64_t early = 0;
    void operator()() {
      early = std::max<std::int64_t>(deadline - table->now(loop), 0);
      order->push_back(number);
      if (order->size() == 20)
        table->stop(loop);
    }
  };
  std::vector<int> order;
  std::vector<Due> dues;
  dues.reserve(20);
  std::vector<loopgauge_timer*> timers;
  const std::int64_t now = table->now(loop);
  for (int i = 0; i < 20; ++i) {
    // Fractions of a millisecond, whole ones apart, in a mixed order.
    const int place = i * 7 % 20;
    dues.push_back({this, table, loop, &order, now + (place + 1) * 2 * ms + place * 12'345, place});
    timers.push_back(table->timer_create(loop, callback_of(dues.back()), &dues.back()));
    ASSERT_NE(timers.back(), nullptr);
    ASSERT_EQ(table->timer_arm(timers.back(), dues.back().deadline), 0);
  }
  run();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (const Due& due : dues)
    EXPECT_EQ(due.early, 0) << "timer " << due.number;
  for (loopgauge_timer* timer : timers)
    table->timer_destroy(timer);
}

TEST_P(BackendTimers, TimerThatIsLateInArmingIsNotEarly) {
  // The library's idea of now is old by then.
  std::int64_t deadline = 0;
  std::int64_t seen = 0;
  auto due = [&] {
    seen = table->now(loop);
    stop();
  };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  auto busy = [&] {
    const std::int64_t until = table->now(loop) + 5 * ms;
    while (table->now(loop) < until) {
    }
    deadline = table->now(loop) + ms;
    (void)table->timer_arm(timer, deadline);
  };
  loopgauge_task task = task_of(busy);
  ASSERT_EQ(table->post(loop, &task), 0);
  run();
  EXPECT_GE(seen, deadline);
  table->timer_destroy(timer);
}

TEST_P(BackendTimers, CancelledTimerDoesNotFire) {
  int fired = 0;
  auto never = [&] { ++fired; };
  auto end = [this] { stop(); };
  loopgauge_timer* cancelled = table->timer_create(loop, callback_of(never), &never);
  loopgauge_timer* destroyed = table->timer_create(loop, callback_of(never), &never);
  loopgauge_timer* last = table->timer_create(loop, callback_of(end), &end);
  const std::int64_t now = table->now(loop);
  ASSERT_EQ(table->timer_arm(cancelled, now + ms), 0);
  ASSERT_EQ(table->timer_arm(destroyed, now + ms), 0);
  ASSERT_EQ(table->timer_arm(last, now + 5 * ms), 0);
  table->timer_cancel(cancelled);
  table->timer_cancel(cancelled);
  table->timer_destroy(destroyed);
  run();
  EXPECT_EQ(fired, 0);
  table->timer_destroy(cancelled);
  table->timer_destroy(last);
}

TEST_P(BackendTimers, TimerCancelledBesideOneThatIsDueDoesNotFire) {
  // Both are due in the same turn; whichever comes first cancels the other.
  struct Rival {
    const loopgauge_backend* table;
    loopgauge_loop* loop;
    int* fired;
    loopgauge_timer** other;
    void operator()() const {
      ++*fired;
      table->timer_cancel(*other);
      table->stop(loop);
    }
  };
  int fired = 0;
  std::array<loopgauge_timer*, 2> timers{};
  std::array<Rival, 2> rivals{Rival{table, loop, &fired, &timers[1]},
                              Rival{table, loop, &fired, &timers[0]}};
  const std::int64_t deadline = table->now(loop) + 2 * ms;
  for (std::size_t i = 0; i < 2; ++i) {
    timers[i] = table->timer_create(loop, callback_of(rivals[i]), &rivals[i]);
    ASSERT_EQ(table->timer_arm(timers[i], deadline), 0);
  }
  while (table->now(loop) < deadline + ms) {
  }
  run();
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(fired, 1);
  for (loopgauge_timer* timer : timers)
    table->timer_destroy(timer);
}

TEST_P(BackendTimers, ArmedAgainItFiresOnceAndLater) {
  int fired = 0;
  std::int64_t seen = 0;
  auto due = [&] {
    ++fired;
    seen = table->now(loop);
    stop();
  };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  const std::int64_t now = table->now(loop);
  ASSERT_EQ(table->timer_arm(timer, now + ms), 0);
  ASSERT_EQ(table->timer_arm(timer, now + 6 * ms), 0);
  run();
  EXPECT_EQ(fired, 1);
  EXPECT_GE(seen, now + 6 * ms);
  ASSERT_EQ(table->timer_arm(timer, table->now(loop)), 0); // due at once
  run();
  EXPECT_EQ(fired, 2);
  table->timer_destroy(timer);
}

INSTANTIATE_TEST_SUITE_P(All, BackendTimers, testing::ValuesIn(paths()), name_of);

} // namespace
} // namespace loopgauge::adapters
