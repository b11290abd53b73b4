#include <array>
#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>

#include "loops/core/alarm.hpp"
#include "loops/core/clock.hpp"
#include "loops/core/poller.hpp"
#include "loops/core/tests/support.hpp"

namespace loopgauge::core {
namespace {

using testing_support::true_in_child;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kHour = 3'600'000 * kMs;

int g_created = 0;

Result<int> no_descriptors_left() noexcept {
  ++g_created;
  return Result<int>::failed(EMFILE);
}

class AlarmTest : public testing::Test {
 protected:
  AlarmTest() { EXPECT_TRUE(poller.open().ok()); }

  // Whether the next event is that of the alarm; waits for it.
  bool rings() {
    const Result<int> got = poller.wait(events, -1);
    const std::uint64_t key = events[0].data.u64;
    if (got.value != 1 || key != kAlarmKey) {
      return false;
    }
    alarm.rang();
    return true;
  }
  bool is_silent() { return poller.wait(events, 0).value == 0; }

  Poller poller;
  Alarm alarm;
  std::array<epoll_event, 4> events{};
};

TEST_F(AlarmTest, EndsAWaitAndNeverBeforeTheDeadline) {
  for (const std::int64_t ahead : {std::int64_t{1}, kMs / 10, kMs, kMs + 1, 3 * kMs}) {
    const std::int64_t deadline = now_ns() + ahead;
    ASSERT_TRUE(alarm.set(poller, deadline));
    ASSERT_TRUE(rings());
    EXPECT_GE(now_ns(), deadline);
  }
}

TEST_F(AlarmTest, ADeadlineInThePastRingsAtOnce) {
  ASSERT_TRUE(alarm.set(poller, 1));
  EXPECT_TRUE(rings());
}

TEST_F(AlarmTest, RingsOnce) {
  ASSERT_TRUE(alarm.set(poller, 1));
  ASSERT_TRUE(rings());
  EXPECT_TRUE(is_silent());
}

TEST_F(AlarmTest, AnEarlierDeadlineReplacesALaterOne) {
  ASSERT_TRUE(alarm.set(poller, now_ns() + kHour));
  ASSERT_TRUE(alarm.set(poller, now_ns() + kMs));
  EXPECT_TRUE(rings());
}

TEST_F(AlarmTest, ALaterDeadlineIsSetOnlyAfterTheEarlierOneRang) {
  ASSERT_TRUE(alarm.set(poller, now_ns() + kMs));
  ASSERT_TRUE(alarm.set(poller, now_ns() + kHour));
  ASSERT_TRUE(rings());
  ASSERT_TRUE(alarm.set(poller, now_ns() + kHour));
  EXPECT_TRUE(is_silent());
}

// The loop may be busy when it rings, and set it again before it has polled.
TEST_F(AlarmTest, WhatRangUnseenIsStillSeen) {
  ASSERT_TRUE(alarm.set(poller, 1));
  ASSERT_TRUE(alarm.set(poller, now_ns() + kHour));
  EXPECT_TRUE(rings());
}

TEST_F(AlarmTest, ClosedItIsSilentAndCanBeSetAgain) {
  ASSERT_TRUE(alarm.set(poller, 1));
  alarm.close();
  EXPECT_TRUE(is_silent());
  ASSERT_TRUE(alarm.set(poller, 2));
  EXPECT_TRUE(rings());
}

TEST_F(AlarmTest, AForkedChildLeavesTheParentsAlone) {
  ASSERT_TRUE(alarm.set(poller, now_ns() + kHour));
  EXPECT_TRUE(true_in_child([this] {
    const bool refused = !alarm.set(poller, 1);
    alarm.close();
    return refused;
  }));
  EXPECT_TRUE(is_silent());
}

TEST_F(AlarmTest, AsksOnceWhereItCannotBeHad) {
  g_created = 0;
  Alarm none(&no_descriptors_left);
  EXPECT_FALSE(none.set(poller, 1));
  EXPECT_FALSE(none.set(poller, 2));
  EXPECT_EQ(g_created, 1);
  none.close();
  EXPECT_FALSE(none.set(poller, 3));
  EXPECT_EQ(g_created, 2);
}

} // namespace
} // namespace loopgauge::core
