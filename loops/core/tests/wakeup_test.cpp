#include <array>
#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "loops/core/poller.hpp"
#include "loops/core/wakeup.hpp"

namespace loopgauge::core {
namespace {

class WakeupTest : public testing::Test {
 protected:
  WakeupTest() {
    EXPECT_TRUE(poller.open().ok());
    EXPECT_TRUE(wakeup.open().ok());
    EXPECT_TRUE(poller.add(wakeup.fd(), EPOLLIN | EPOLLET, kWakeupKey).ok());
  }

  // What was written since the last call.
  std::uint64_t written() const {
    std::uint64_t count = 0;
    (void)sys::read(wakeup.fd(), &count, sizeof count);
    return count;
  }

  int wait(std::int64_t timeout_ns) { return poller.wait(events, timeout_ns).value; }

  Poller poller;
  Wakeup wakeup;
  std::array<epoll_event, 4> events{};
};

TEST_F(WakeupTest, WritesNothingWhileTheLoopRuns) {
  wakeup.notify();
  wakeup.prepare_sleep();
  wakeup.finish_sleep();
  wakeup.notify();
  EXPECT_EQ(written(), 0U);
}

TEST_F(WakeupTest, WritesOncePerSleep) {
  for (int sleep = 0; sleep < 3; ++sleep) {
    wakeup.prepare_sleep();
    wakeup.notify();
    wakeup.notify();
    EXPECT_EQ(written(), 1U);
    wakeup.finish_sleep();
  }
}

TEST_F(WakeupTest, ANotifyBeforeTheWaitEndsTheWait) {
  wakeup.prepare_sleep();
  wakeup.notify();
  EXPECT_EQ(wait(-1), 1);
  const std::uint64_t key = events[0].data.u64; // epoll_event is packed: no reference to it
  EXPECT_EQ(key, kWakeupKey);
}

TEST_F(WakeupTest, EveryNotifyIsANewEdgeWithoutAnyRead) {
  for (int i = 0; i < 1000; ++i) {
    wakeup.prepare_sleep();
    wakeup.notify();
    ASSERT_EQ(wait(-1), 1);
    ASSERT_EQ(wait(0), 0);
    wakeup.finish_sleep();
  }
}

TEST_F(WakeupTest, KeepsErrno) {
  errno = ERANGE;
  wakeup.prepare_sleep();
  wakeup.notify();
  EXPECT_EQ(errno, ERANGE);
}

// The protocol of the header, from four threads. A lost wake-up hangs here for ever, because the
// consumer waits without a timeout.
TEST_F(WakeupTest, NothingPostedIsLost) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  std::mutex lock;
  int queued = 0;

  std::vector<std::thread> producers;
  producers.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    producers.emplace_back([&] {
      for (int post = 0; post < kPosts; ++post) {
        {
          const std::lock_guard guard(lock);
          ++queued;
        }
        wakeup.notify();
      }
    });
  }
  for (int seen = 0; seen < kThreads * kPosts;) {
    wakeup.prepare_sleep();
    int taken = 0;
    {
      const std::lock_guard guard(lock);
      taken = std::exchange(queued, 0);
    }
    if (taken == 0) {
      (void)wait(-1);
    }
    wakeup.finish_sleep();
    seen += taken;
  }
  for (std::thread& producer : producers) {
    producer.join();
  }
}

} // namespace
} // namespace loopgauge::core
