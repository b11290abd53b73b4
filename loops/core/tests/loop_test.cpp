#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loops/core/loop.hpp"
#include "loops/core/tests/support.hpp"

namespace loopgauge::core {
namespace {

using testing_support::Alarms;
using testing_support::SocketPair;
using testing_support::true_in_child;

struct Item {
  std::function<bool()> run;
  std::size_t timer_index = static_cast<std::size_t>(-1);
};

// Records what the loop asks of it.
struct TestHost {
  using Item = core::Item*;
  struct TimerTraits {
    static void set_index(Item item, std::size_t index) noexcept { item->timer_index = index; }
  };

  void io(std::uint64_t key, std::uint32_t events) {
    log.push_back("io");
    keys.push_back(key);
    on_io(events);
  }
  bool run(Item item) { return item->run(); }
  void timer_due(Item item) {
    log.push_back("due");
    on_due(item);
  }
  bool between_turns() {
    ++turns;
    return stay;
  }
  void before_block() { ++blocks; }
  void after_block() { ++unblocks; }

  std::function<void(std::uint32_t)> on_io = [](std::uint32_t) {};
  std::function<void(Item)> on_due;
  std::vector<std::string> log;
  std::vector<std::uint64_t> keys;
  int turns = 0;
  int blocks = 0;
  int unblocks = 0;
  bool stay = true;
};

using TestLoop = Loop<TestHost>;
using Turn = TestLoop::Turn;

class LoopTest : public testing::Test {
 protected:
  LoopTest() {
    host.on_due = [this](Item* item) { loop.ready.push_back(item); };
  }

  // An item that writes `name` to the log, then does `then`.
  Item* make(
      const std::string& name, std::function<void()> then = [] {}) {
    return make_leaving(name, std::move(then), true);
  }
  Item* make_leaving(const std::string& name, std::function<void()> then, bool stay) {
    items.push_back(std::make_unique<Item>());
    items.back()->run = [this, name, then = std::move(then), stay] {
      host.log.push_back(name);
      then();
      return stay;
    };
    return items.back().get();
  }

  std::vector<std::unique_ptr<Item>> items;
  TestHost host;
  TestLoop loop{host};
  SocketPair pair;
};

TEST_F(LoopTest, ATurnRunsExactlyWhatWasQueuedEvenIfItIsStopped) {
  Item* late = make("late");
  loop.ready.push_back(make("a", [&] {
    loop.stopping = true;
    loop.ready.push_back(late);
  }));
  loop.ready.push_back(make("b"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(loop.ready.size(), 1U);
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log.back(), "late");
}

TEST_F(LoopTest, OpensNothingWhileThereIsOnlyWork) {
  loop.policy.begin_run();
  for (int i = 0; i < 1000; ++i) {
    loop.ready.push_back(make("a"));
    loop.timers.push(0, make("timer"));
    ASSERT_EQ(loop.turn(), Turn::again);
  }
  loop.stopping = true;
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_FALSE(loop.is_open());
  EXPECT_EQ(host.blocks, 0);
}

TEST_F(LoopTest, StoppingWithNothingReadyDoesNotWait) {
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  loop.stopping = true;
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.blocks, 0);
}

TEST_F(LoopTest, EventsThenTimersThenTheRunInTheOrderOfTheQueue) {
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  pair.send_to_left();
  host.on_io = [this](std::uint32_t) { loop.ready.push_back(make("reader")); };
  loop.timers.push(2, make("second timer"));
  loop.timers.push(1, make("first timer"));
  loop.ready.push_back(make("queued"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log, (std::vector<std::string>{"io", "due", "due", "queued", "reader",
                                                "first timer", "second timer"}));
}

TEST_F(LoopTest, ATimerIsNeverEarly) {
  for (const std::int64_t delay : {1, 50'000, 999'999, 1'000'001, 3'000'000}) {
    const std::int64_t deadline = now_ns() + delay;
    std::int64_t ran = 0;
    loop.timers.push(deadline, make("timer", [&ran] { ran = now_ns(); }));
    while (ran == 0) {
      ASSERT_EQ(loop.turn(), Turn::again);
    }
    EXPECT_GE(ran, deadline);
  }
}

TEST_F(LoopTest, ATimerOfABusyLoopIsNeverEarly) {
  // Turns of well under a microsecond come close to the deadline, which a wait overshoots.
  for (int i = 0; i < 20; ++i) {
    const std::int64_t deadline = now_ns() + 200'000;
    std::int64_t ran = 0;
    loop.timers.push(deadline, make("timer", [&ran] { ran = now_ns(); }));
    Item* work = make("work");
    while (ran == 0) {
      loop.ready.push_back(work);
      ASSERT_EQ(loop.turn(), Turn::again);
    }
    ASSERT_GE(ran, deadline);
  }
}

TEST_F(LoopTest, ATimerFarAwayIsWaitedForWithATimeout) {
  const Alarms alarms;
  loop.timers.push(now_ns() + 3'600'000'000'000, make("in an hour"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.blocks, 1);
}

TEST_F(LoopTest, ATimerAtTheEndOfTimeWaitsWithoutEnd) {
  const Alarms alarms; // what ends the wait
  loop.timers.push(kNever, make("never"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.blocks, 1);
  EXPECT_EQ(loop.timers.size(), 1U);
}

TEST_F(LoopTest, ADeadlineBeforeTheBeginningOfTimeIsDue) {
  loop.timers.push(std::numeric_limits<std::int64_t>::min(), make("past"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log, (std::vector<std::string>{"due", "past"}));
}

TEST_F(LoopTest, ReleasesTheHostsLockOnlyWhenALookFoundNothing) {
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  pair.send_to_left();
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.blocks, 0);
  EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{1}));

  ASSERT_TRUE(loop.unwatch(pair.left.get()).ok());
  loop.timers.push(now_ns() + 100'000, make("timer"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.blocks, 1);
  EXPECT_EQ(host.unblocks, 1);
  EXPECT_FALSE(loop.wakeup.sleeping.load());
}

TEST_F(LoopTest, ASignalEndsTheWaitAsATurnWithoutEvents) {
  const Alarms alarms;
  const auto before = Alarms::received;
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(loop.error(), 0);
  EXPECT_EQ(host.turns, 1);
  EXPECT_GT(Alarms::received, before);
}

TEST_F(LoopTest, ANotifyDuringBeforeBlockEndsTheWait) {
  struct NotifyingHost : TestHost {
    void before_block() { loop->wakeup.notify(); }
    Loop<NotifyingHost>* loop = nullptr;
  };
  NotifyingHost notifying;
  Loop<NotifyingHost> other(notifying);
  notifying.loop = &other;
  EXPECT_EQ(other.turn(), Loop<NotifyingHost>::Turn::again);
  EXPECT_TRUE(notifying.keys.empty()); // the loop keeps its own key to itself
}

TEST_F(LoopTest, ABusyLoopSeesADescriptorWithinTwoTurns) {
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  for (int i = 0; i < 100; ++i) {
    loop.ready.push_back(make("work"));
    ASSERT_EQ(loop.turn(), Turn::again);
    pair.send_to_left();
    host.keys.clear();
    for (int turn = 0; turn < 2; ++turn) {
      loop.ready.push_back(make("work"));
      ASSERT_EQ(loop.turn(), Turn::again);
    }
    ASSERT_FALSE(host.keys.empty());
    char byte = 0;
    ASSERT_EQ(sys::read(pair.left.get(), &byte, 1).value, 1);
  }
}

TEST_F(LoopTest, LeavingReportsWhatHadNotRun) {
  loop.ready.push_back(make("a"));
  loop.ready.push_back(make_leaving(
      "b", [] {}, false));
  loop.ready.push_back(make("c"));
  loop.ready.push_back(make("d"));
  EXPECT_EQ(loop.turn(), Turn::left);
  EXPECT_EQ(loop.error(), 0);
  EXPECT_EQ(loop.remaining_in_turn(), 2U);
  EXPECT_EQ(loop.ready.size(), 2U);
  EXPECT_EQ(host.turns, 0);
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log, (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(loop.remaining_in_turn(), 0U);
}

TEST_F(LoopTest, AnItemMayTakeAllOthersOut) {
  loop.ready.push_back(make("a", [&] { loop.ready.clear([](Item*) {}); }));
  loop.ready.push_back(make("b"));
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.log, (std::vector<std::string>{"a"}));
}

TEST_F(LoopTest, BetweenTurnsMayLeave) {
  host.stay = false;
  loop.ready.push_back(make("a"));
  EXPECT_EQ(loop.turn(), Turn::left);
  EXPECT_EQ(loop.error(), 0);
}

TEST_F(LoopTest, MoreEventsThanOneWaitHoldsAreSeenInTheNextTurn) {
  std::vector<SocketPair> pairs(300);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    ASSERT_TRUE(loop.watch(pairs[i].left.get(), EPOLLIN | EPOLLET, i + 1).ok());
    pairs[i].send_to_left();
  }
  loop.ready.push_back(make("work"));
  ASSERT_EQ(loop.turn(), Turn::again);
  EXPECT_LT(host.keys.size(), pairs.size());
  // However little time has passed.
  EXPECT_TRUE(loop.policy.must_poll(false, [] { return std::int64_t{0}; }));
  loop.ready.push_back(make("work"));
  ASSERT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.keys.size(), pairs.size());
}

TEST_F(LoopTest, RewatchFollowsANumberThatWasReusedBehindItsBack) {
  const int number = pair.left.get();
  ASSERT_TRUE(loop.watch(number, EPOLLIN, 1).ok());
  const SocketPair other;
  pair.left.reset();
  const UniqueFd successor(::dup3(other.left.get(), number, O_CLOEXEC));
  ASSERT_EQ(successor.get(), number);
  EXPECT_TRUE(loop.rewatch(number, EPOLLIN, 2).ok());
  other.send_to_left();
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{2}));
}

TEST_F(LoopTest, AOneShotWatchReportsOnceAndIsSwitchedOnAgain) {
  const int number = pair.left.get();
  pair.send_to_left(); // and never read
  for (const std::uint64_t key : {1U, 2U}) {
    host.keys.clear();
    ASSERT_TRUE(loop.watch_once(number, EPOLLIN | EPOLLONESHOT, key).ok());
    EXPECT_EQ(loop.policy.watched, 1U);
    ASSERT_EQ(loop.turn(), Turn::again);
    loop.policy.touch();
    loop.ready.push_back(make("work"));
    ASSERT_EQ(loop.turn(), Turn::again);
    EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{key}));
    loop.forget_used_up();
    EXPECT_EQ(loop.policy.watched, 0U);
  }
}

TEST_F(LoopTest, AUsedUpWatchDoesNotReportAHangUp) {
  ASSERT_TRUE(loop.watch_once(pair.left.get(), EPOLLIN | EPOLLONESHOT, 1).ok());
  pair.send_to_left();
  ASSERT_EQ(loop.turn(), Turn::again);
  loop.forget_used_up();
  pair.right.reset();
  const SocketPair other;
  ASSERT_TRUE(loop.watch(other.left.get(), EPOLLIN, 2).ok());
  loop.ready.push_back(make("work"));
  ASSERT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{1}));
}

TEST_F(LoopTest, AWatchTakesOverWhatAOneShotWatchLeft) {
  ASSERT_TRUE(loop.watch_once(pair.left.get(), EPOLLIN | EPOLLONESHOT, 1).ok());
  pair.send_to_left();
  ASSERT_EQ(loop.turn(), Turn::again);
  loop.forget_used_up();
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 2).ok());
  EXPECT_EQ(loop.policy.watched, 1U);
  ASSERT_EQ(loop.turn(), Turn::again);
  ASSERT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{1, 2, 2}));
}

TEST_F(LoopTest, UnwatchAfterTheCloseStillCounts) {
  const int number = pair.left.get();
  ASSERT_TRUE(loop.watch(number, EPOLLIN, 1).ok());
  EXPECT_EQ(loop.policy.watched, 1U);
  pair.left.reset();
  EXPECT_EQ(loop.unwatch(number).error, EBADF);
  EXPECT_EQ(loop.policy.watched, 0U);
}

TEST_F(LoopTest, AFailedWatchIsNotCounted) {
  EXPECT_EQ(loop.watch(-1, EPOLLIN, 1).error, EBADF);
  EXPECT_EQ(loop.policy.watched, 0U);
}

TEST_F(LoopTest, AForkedChildCannotWaitButCanClose) {
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  EXPECT_TRUE(true_in_child([this] {
    const bool refused = loop.turn() == Turn::left && loop.error() == EBADF;
    const bool removed = loop.unwatch(pair.left.get()).ok();
    loop.close();
    return refused && removed && !loop.is_open();
  }));
  pair.send_to_left();
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_EQ(host.keys, (std::vector<std::uint64_t>{1}));
}

TEST_F(LoopTest, PollsInEveryTurnWhenTold) {
  loop.policy.every_turn = true;
  ASSERT_TRUE(loop.watch(pair.left.get(), EPOLLIN, 1).ok());
  pair.send_to_left();
  for (int turn = 0; turn < 10; ++turn) {
    loop.ready.push_back(make("work"));
    ASSERT_EQ(loop.turn(), Turn::again);
  }
  EXPECT_EQ(host.keys.size(), 10U);
}

TEST_F(LoopTest, ABurstLeavesNoMemoryBehind) {
  Item* item = make("");
  item->run = [] { return true; };
  for (int i = 0; i < 1'000'000; ++i) {
    loop.ready.push_back(item);
  }
  EXPECT_EQ(loop.turn(), Turn::again);
  EXPECT_LE(loop.ready.capacity(), ReadyQueue<Item*>::kKept);
}

} // namespace
} // namespace loopgauge::core
