// Works of the native tier on the built-in core, and on backends that cheat.
#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <string>
#include <sys/time.h>

#include "tier/backend.hpp"
#include "tier/scheduling.hpp"
#include "tier/threads.hpp"
#include "tier/timers.hpp"

namespace loopgauge::bench {
namespace {

constexpr const char* core_path = LOOPGAUGE_CORE_BACKEND;

// The honest table, and how often the cheats were called.
const loopgauge_backend* g_honest = nullptr;
int g_calls = 0;

// A loop whose table is the core's but for what `cheat` changes.
class Cheated : public testing::Test {
 protected:
  void SetUp() override {
    g_honest = &load_backend(core_path);
    g_calls = 0;
    table = *g_honest;
  }
  loopgauge_backend table{};
};

int loses_the_third(loopgauge_loop* loop, loopgauge_task* task) {
  return ++g_calls == 3 ? 0 : g_honest->post(loop, task);
}

int fires_early(loopgauge_timer* timer, std::int64_t deadline) {
  return g_honest->timer_arm(timer, deadline - 500'000);
}

void does_not_cancel(loopgauge_timer*) {}

int fires_at_once(loopgauge_timer* timer, std::int64_t) {
  return g_honest->timer_arm(timer, 0);
}

TEST_F(Cheated, HonestBackendDoesTheWork) {
  NativeLoop loop(table);
  EXPECT_EQ(chain(loop)->run(100), 100);
  EXPECT_EQ(batches(loop, 10, false)->run(100), 100);
  EXPECT_EQ(producers(loop, 2)->run(100), 100);
  EXPECT_EQ(wakeup(loop)->run(10), 10);
}

TEST_F(Cheated, ThreadsRefuseWhatTheyCannotShare) {
  NativeLoop loop(table);
  const auto work = producers(loop, 4);
  for (const std::int64_t n : {1, 6})
    EXPECT_THROW((void)work->run(n), NativeFailure);
}

TEST_F(Cheated, LostTaskIsMissed) {
  table.post = &loses_the_third;
  NativeLoop loop(table);
  const auto work = batches(loop, 15, false);
  EXPECT_THROW((void)work->run(150), NativeFailure);
}

TEST_F(Cheated, EarlyTimerIsVoid) {
  table.timer_arm = &fires_early;
  NativeLoop loop(table);
  const auto work = lateness(loop, 1'000'000, false, "median");
  EXPECT_THROW((void)work->run(3), NativeFailure);
}

TEST_F(Cheated, CancelledTimerThatFiresIsNoticed) {
  table.timer_arm = &fires_at_once;
  table.timer_cancel = &does_not_cancel;
  NativeLoop loop(table);
  const auto work = schedule_cancel(loop, 1);
  EXPECT_THROW((void)work->run(5000), NativeFailure);
}

TEST_F(Cheated, TimersThatFireAtOnceAreNotPending) {
  table.timer_arm = &fires_at_once;
  NativeLoop loop(table);
  const auto work = million_timers(loop, "init", 100);
  EXPECT_THROW((void)work->run(100), NativeFailure);
}

TEST_F(Cheated, InterruptEndsABusyWaitForATimer) {
  NativeLoop loop(table);
  constexpr std::int64_t hour = 3'600'000'000'000;
  const auto work = lateness(loop, hour, true, "median");
  loop.interrupt();
  EXPECT_EQ(work->run(1), 0);
}

TEST_F(Cheated, HalfATableIsNamed) {
  EXPECT_EQ(missing_member(table), nullptr);
  table.signal_watch = nullptr;
  EXPECT_STREQ(missing_member(table), "signal_watch");
  table.signal_unwatch = nullptr;
  EXPECT_EQ(missing_member(table), nullptr);
  table.rewatch = nullptr;
  EXPECT_STREQ(missing_member(table), "rewatch");
}

TEST(Lateness, FloorWaitsOnAfterASignal) {
  struct sigaction former {};
  struct sigaction ignoring {};
  ignoring.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &ignoring, &former), 0);
  const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 1000},
                        .it_value = {.tv_sec = 0, .tv_usec = 1000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  EXPECT_EQ(lateness_floor(20'000'000, "median")->run(2), 2);
  const itimerval never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &former, nullptr), 0);
}

int arms_slowly(loopgauge_timer* timer, std::int64_t deadline) {
  const std::int64_t until = g_honest->now(nullptr) + 100'000;
  while (g_honest->now(nullptr) < until) {
  }
  // As a library that counts from the moment it is told.
  return g_honest->timer_arm(timer, std::max(deadline, until));
}

TEST_F(Cheated, TimersThatAreMadeSlowlyAreInOrder) {
  table.timer_arm = &arms_slowly;
  NativeLoop loop(table);
  EXPECT_EQ(million_timers(loop, "fire", 1000)->run(1000), 1000); // 100 ms until all are armed
}

int fires_in_reverse(loopgauge_timer* timer, std::int64_t deadline) {
  static std::int64_t first = deadline;
  return g_honest->timer_arm(timer, 2 * first - deadline);
}

TEST_F(Cheated, TimersOutOfOrderAreNoticed) {
  table.timer_arm = &fires_in_reverse;
  NativeLoop loop(table);
  const auto work = million_timers(loop, "fire", 1000);
  EXPECT_THROW((void)work->run(1000), NativeFailure);
}

TEST(Backends, UnknownOnesAreRefusedWithTheReason) {
  EXPECT_THROW((void)load_backend("nobody"), BackendUnavailable);
  const BackendInfo info = describe_backend("/nonexistent/lib.so");
  EXPECT_NE(info.reason.find("cannot open"), std::string::npos);
  EXPECT_EQ(info.name, "/nonexistent/lib.so");
}

} // namespace
} // namespace loopgauge::bench
