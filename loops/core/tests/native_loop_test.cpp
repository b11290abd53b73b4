#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <signal.h>
#include <thread>
#include <utility>
#include <vector>

#include "loops/core/native_loop.hpp"
#include "loops/core/tests/support.hpp"

namespace loopgauge::core {
namespace {

using testing_support::SocketPair;

// A Callback that calls a lambda.
struct Lambda : Callback {
  explicit Lambda(std::function<void()> body_) : body(std::move(body_)) {
    function = [](void* self) { static_cast<Lambda*>(self)->body(); };
    data = this;
  }
  std::function<void()> body;
};

class NativeLoopTest : public testing::Test {
 protected:
  NativeLoop loop;
  Lambda stop{[this] { loop.stop(); }};
};

TEST_F(NativeLoopTest, RunsCallbacksInOrderAndStops) {
  std::vector<int> order;
  Lambda first([&] { order.push_back(1); });
  Lambda second([&] { order.push_back(2); });
  loop.call_soon(first);
  loop.call_soon(second);
  loop.call_soon(stop);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(loop.engine().is_open());
}

TEST_F(NativeLoopTest, CanRunAgain) {
  for (int run = 0; run < 3; ++run) {
    loop.call_soon(stop);
    EXPECT_EQ(loop.run(), 0);
  }
}

TEST_F(NativeLoopTest, TimersRunInOrderAndNeverEarly) {
  std::vector<int> order;
  const std::int64_t begin = now_ns();
  std::int64_t last_ran = 0;
  Lambda late([&] {
    order.push_back(2);
    last_ran = now_ns();
    loop.stop();
  });
  Lambda early([&] { order.push_back(1); });
  Lambda cancelled([&] { order.push_back(-1); });
  loop.call_at(begin + 2'000'000, late);
  loop.call_at(begin + 1'000'000, early);
  loop.call_at(begin, cancelled);
  EXPECT_TRUE(loop.cancel_timer(cancelled));
  EXPECT_FALSE(loop.cancel_timer(cancelled));
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(last_ran, begin + 2'000'000);
}

TEST_F(NativeLoopTest, CallAtReplacesAPendingDeadline) {
  loop.call_at(kNever, stop);
  loop.call_at(0, stop);
  EXPECT_EQ(loop.engine().timers.size(), 1U);
  EXPECT_EQ(loop.run(), 0);
}

TEST_F(NativeLoopTest, EchoesOverASocketPair) {
  const SocketPair pair;
  constexpr int kMessages = 1000;
  int received = 0;
  Lambda echo([&] {
    char byte = 0;
    ASSERT_EQ(sys::read(pair.left.get(), &byte, 1).value, 1);
    ASSERT_EQ(sys::write(pair.left.get(), &byte, 1).value, 1);
  });
  Lambda client([&] {
    char byte = 0;
    ASSERT_EQ(sys::read(pair.right.get(), &byte, 1).value, 1);
    if (++received == kMessages) {
      loop.stop();
      return;
    }
    ASSERT_EQ(sys::write(pair.right.get(), &byte, 1).value, 1);
  });
  ASSERT_TRUE(loop.watch_read(pair.left.get(), &echo).ok());
  ASSERT_TRUE(loop.watch_read(pair.right.get(), &client).ok());
  pair.send_to_left();
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(received, kMessages);
}

TEST_F(NativeLoopTest, ReadAndWriteSidesAreIndependent) {
  SocketPair pair;
  int writable = 0;
  int readable = 0;
  Lambda reader([&] {
    ++readable;
    loop.stop();
  });
  Lambda writer([&] {
    ++writable;
    ASSERT_TRUE(loop.watch_write(pair.left.get(), nullptr).ok());
    pair.send_to_left();
  });
  ASSERT_TRUE(loop.watch_read(pair.left.get(), &reader).ok());
  ASSERT_TRUE(loop.watch_write(pair.left.get(), &writer).ok());
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(writable, 1);
  EXPECT_EQ(readable, 1);
}

TEST_F(NativeLoopTest, AHangUpReachesBothSides) {
  SocketPair pair;
  int calls = 0;
  Lambda reader([&] {
    ++calls;
    loop.stop();
  });
  Lambda writer([&] { ++calls; });
  ASSERT_TRUE(loop.watch_read(pair.left.get(), &reader).ok());
  ASSERT_TRUE(loop.watch_write(pair.left.get(), &writer).ok());
  pair.right.reset();
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(calls, 2);
}

TEST_F(NativeLoopTest, AQueuedReaderDoesNotRunAfterItsWatchEnded) {
  const SocketPair first;
  const SocketPair second;
  int calls = 0;
  // Both are ready in one turn; whichever runs first ends the other's watch.
  Lambda a([&] {
    ++calls;
    ASSERT_TRUE(loop.watch_read(second.left.get(), nullptr).ok());
    loop.stop();
  });
  Lambda b([&] {
    ++calls;
    ASSERT_TRUE(loop.watch_read(first.left.get(), nullptr).ok());
    loop.stop();
  });
  ASSERT_TRUE(loop.watch_read(first.left.get(), &a).ok());
  ASSERT_TRUE(loop.watch_read(second.left.get(), &b).ok());
  first.send_to_left();
  second.send_to_left();
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(calls, 1);
}

TEST_F(NativeLoopTest, AReusedNumberNeverGetsTheOldEvent) {
  SocketPair old;
  const int number = old.left.get();
  int wrong = 0;
  Lambda old_reader([&] { ++wrong; });
  ASSERT_TRUE(loop.watch_read(number, &old_reader).ok());
  old.send_to_left();
  // A duplicate keeps the old file, and so its registration, alive behind the loop's back.
  const UniqueFd duplicate(::fcntl(number, F_DUPFD_CLOEXEC, 0));
  const SocketPair fresh;
  old.left.reset();
  ASSERT_EQ(loop.watch_read(number, nullptr).error, EBADF);
  const UniqueFd successor(::dup3(fresh.left.get(), number, O_CLOEXEC));
  ASSERT_EQ(successor.get(), number);
  Lambda new_reader([&] { ++wrong; });
  ASSERT_TRUE(loop.watch_read(number, &new_reader).ok());
  int turns = 0;
  Lambda count([&] { ++turns == 10 ? loop.stop() : loop.call_soon(count); });
  loop.call_soon(count);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(wrong, 0);
}

TEST_F(NativeLoopTest, PostsFromThreadsWakeTheLoopAndNoneIsLost) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  int seen = 0;
  Lambda count([&] {
    if (++seen == kThreads * kPosts) {
      loop.stop();
    }
  });
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int post = 0; post < kPosts; ++post) {
        loop.post(count);
      }
    });
  }
  EXPECT_EQ(loop.run(), 0);
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(seen, kThreads * kPosts);
}

TEST_F(NativeLoopTest, APostBetweenTheLastLookAndTheSleepEndsTheSleep) {
  // Nothing has drained the inbox since this post, and the loop did not sleep when it was made.
  loop.post(stop);
  EXPECT_EQ(loop.engine().turn(), Loop<NativeLoop::Host>::Turn::again);
  EXPECT_EQ(loop.engine().ready.size(), 1U);
}

TEST_F(NativeLoopTest, APingPongWithAThreadNeverHangs) {
  constexpr int kRounds = 2000;
  std::atomic<int> answered{0};
  Lambda answer([&] {
    if (answered.fetch_add(1) + 1 == kRounds) {
      loop.stop();
    }
    answered.notify_one();
  });
  std::thread poster([&] {
    for (int round = 0; round < kRounds; ++round) {
      loop.post(answer);
      answered.wait(round); // until this round's answer came
    }
  });
  EXPECT_EQ(loop.run(), 0);
  poster.join();
}

TEST_F(NativeLoopTest, APostBeforeTheRunIsSeen) {
  loop.post(stop);
  EXPECT_EQ(loop.run(), 0);
}

TEST_F(NativeLoopTest, DeliversSignals) {
  int delivered = 0;
  Lambda handler([&] {
    if (++delivered == 3) {
      loop.stop();
      return;
    }
    (void)::raise(SIGUSR1);
  });
  ASSERT_TRUE(loop.watch_signal(SIGUSR1, &handler).ok());
  (void)::raise(SIGUSR1);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(delivered, 3);
}

TEST_F(NativeLoopTest, ABusyLoopSeesSignals) {
  Lambda spin([&] { loop.call_soon(spin); });
  ASSERT_TRUE(loop.watch_signal(SIGUSR1, &stop).ok());
  loop.call_soon(spin);
  (void)::raise(SIGUSR1);
  EXPECT_EQ(loop.run(), 0);
}

TEST_F(NativeLoopTest, OneLoopAtATimeWatchesSignals) {
  ASSERT_TRUE(loop.watch_signal(SIGUSR1, &stop).ok());
  NativeLoop other;
  EXPECT_EQ(other.watch_signal(SIGUSR2, &stop).error, EBUSY);
  EXPECT_EQ(loop.watch_signal(0, &stop).error, EINVAL);
  EXPECT_EQ(loop.watch_signal(SIGKILL, &stop).error, EINVAL);
}

TEST_F(NativeLoopTest, ASignalOfTheFormerOwnerIsNotTheNextOnes) {
  int delivered = 0;
  Lambda handler([&] { ++delivered; });
  ASSERT_TRUE(loop.watch_signal(SIGUSR1, &stop).ok());
  (void)::raise(SIGUSR1); // and nobody looks before the watch ends
  ASSERT_TRUE(loop.watch_signal(SIGUSR1, nullptr).ok());
  NativeLoop other;
  ASSERT_TRUE(other.watch_signal(SIGUSR1, &handler).ok());
  EXPECT_EQ(loop.run_once(true), 0);
  EXPECT_EQ(delivered, 0);
  (void)::raise(SIGUSR1);
  EXPECT_EQ(other.run_once(true), 0);
  EXPECT_EQ(delivered, 1);
}

TEST_F(NativeLoopTest, ASignalThatCannotBeCaughtLeavesSignalsToOthers) {
  EXPECT_EQ(loop.watch_signal(SIGKILL, &stop).error, EINVAL);
  NativeLoop other;
  EXPECT_TRUE(other.watch_signal(SIGUSR1, &stop).ok());
}

TEST(NativeLoop, RestoresTheFormerSignalAction) {
  struct sigaction before = {};
  struct sigaction after = {};
  (void)::sigaction(SIGUSR1, nullptr, &before);
  for (int i = 0; i < 2; ++i) {
    NativeLoop loop;
    Lambda nothing([] {});
    ASSERT_TRUE(loop.watch_signal(SIGUSR1, &nothing).ok());
    (void)::sigaction(SIGUSR1, nullptr, &after);
    EXPECT_NE(after.sa_handler, before.sa_handler);
  }
  (void)::sigaction(SIGUSR1, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST_F(NativeLoopTest, ForgetTakesACallbackOutOfQueueAndTimers) {
  int calls = 0;
  Lambda gone([&] { ++calls; });
  loop.call_soon(gone);
  loop.call_soon(gone);
  loop.call_at(0, gone);
  loop.forget(gone);
  loop.call_soon(stop);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(loop.engine().timers.empty());
}

TEST(NativeLoop, AThousandLoopsLeaveNoDescriptorBehind) {
  const UniqueFd before(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (int i = 0; i < 1000; ++i) {
    NativeLoop loop;
    ASSERT_TRUE(loop.engine().open().ok());
  }
  const UniqueFd after(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(after.get(), before.get() + 1);
}

} // namespace
} // namespace loopgauge::core
