#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "loops/core/poll_policy.hpp"

namespace loopgauge::core {
namespace {

// A clock that counts how often it is read.
struct Clock {
  std::int64_t time = 1'000'000;
  int reads = 0;

  std::int64_t operator()() {
    ++reads;
    return time;
  }
};

class PollPolicyTest : public testing::Test {
 protected:
  PollPolicyTest() { policy.watched = 1; }

  // One turn that has work: polls when the policy says so.
  bool turn(bool stopping = false) {
    if (!policy.must_poll(stopping, clock)) {
      return false;
    }
    policy.polled(clock.time);
    return true;
  }

  PollPolicy policy;
  Clock clock;
};

TEST_F(PollPolicyTest, NeverPollsWithoutAWatchedDescriptor) {
  policy.watched = 0;
  policy.begin_run();
  policy.touch();
  for (int i = 0; i < 100; ++i) {
    clock.time += PollPolicy::kMaxAgeNs;
    EXPECT_FALSE(turn(i % 2 == 0));
  }
  EXPECT_EQ(clock.reads, 0);
}

TEST_F(PollPolicyTest, PollsInTheFirstTurnAndThenInEverySecond) {
  std::vector<bool> polled(6);
  for (auto&& did_poll : polled) {
    did_poll = turn();
  }
  EXPECT_EQ(polled, (std::vector<bool>{true, false, true, false, true, false}));
}

TEST_F(PollPolicyTest, ReadsTheClockOnlyWhereTheTurnsDoNotDecide) {
  turn();
  EXPECT_EQ(clock.reads, 0);
  turn();
  EXPECT_EQ(clock.reads, 1);
  turn();
  EXPECT_EQ(clock.reads, 1);
}

TEST_F(PollPolicyTest, PollsWhenTheLastPollIsTooOld) {
  ASSERT_TRUE(turn());
  clock.time += PollPolicy::kMaxAgeNs - 1;
  EXPECT_FALSE(turn());
  ASSERT_TRUE(turn());
  clock.time += PollPolicy::kMaxAgeNs;
  EXPECT_TRUE(turn());
}

TEST_F(PollPolicyTest, PollsAfterAChangeAtTheBeginningOfARunAndWhenStopping) {
  turn();
  policy.touch();
  EXPECT_TRUE(turn());
  policy.begin_run();
  EXPECT_TRUE(turn());
  EXPECT_TRUE(turn(true));
  EXPECT_FALSE(turn());
}

TEST_F(PollPolicyTest, EveryTurnMeansEveryTurn) {
  policy.every_turn = true;
  policy.watched = 0;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(turn());
  }
  EXPECT_EQ(clock.reads, 0);
}

TEST_F(PollPolicyTest, ByTurnsNoClockDecides) {
  policy.by_turns = true;
  turn();
  for (int i = 0; i < 3; ++i) {
    clock.time += 10 * PollPolicy::kMaxAgeNs;
    EXPECT_FALSE(turn());
    EXPECT_TRUE(turn());
  }
  EXPECT_EQ(clock.reads, 0);
}

} // namespace
} // namespace loopgauge::core
