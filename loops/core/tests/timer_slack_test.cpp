#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <thread>

#include "loops/core/timer_slack.hpp"

namespace loopgauge::core {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(TimerSlack, IsWhatTheKernelEstimates) {
  const TimerSlack usual(50'000, 1000);
  EXPECT_EQ(usual.of(1), 50'000);
  EXPECT_EQ(usual.of(kMs), 50'000);
  EXPECT_EQ(usual.of(50 * kMs), 50'000);
  EXPECT_EQ(usual.of(100 * kMs), 100'000);
  EXPECT_EQ(usual.of(1'000'000 * kMs), 100 * kMs);
  const TimerSlack nice(50'000, 200);
  EXPECT_EQ(nice.of(100 * kMs), 500'000);
  const TimerSlack real_time(0, 1);
  EXPECT_EQ(real_time.of(100 * kMs), 0);
}

TEST(TimerSlack, IsTheThreadsOwn) {
  std::int64_t changed = 0;
  std::thread([&] {
    ASSERT_EQ(::prctl(PR_SET_TIMERSLACK, 7000, 0, 0, 0), 0);
    changed = TimerSlack::of_thread().of(1);
  }).join();
  EXPECT_EQ(changed, 7000);
}

} // namespace
} // namespace loopgauge::core
