#include <cstddef>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "loops/core/post.hpp"

namespace loopgauge::core {
namespace {

TEST(Inbox, HandsOverInOrderAndOnce) {
  Inbox<int> inbox;
  EXPECT_TRUE(inbox.empty());
  inbox.push(1);
  inbox.push(2);
  EXPECT_FALSE(inbox.empty());
  std::vector<int> seen;
  const auto take = [&seen](int item) { seen.push_back(item); };
  inbox.drain(take);
  inbox.drain(take);
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, KeepsTheOrderOfEachThread) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 10'000;
  Inbox<int> inbox;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&inbox, thread] {
      for (int i = 0; i < kPosts; ++i) {
        inbox.push(thread * kPosts + i);
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  int seen = 0;
  while (seen < kThreads * kPosts) {
    inbox.drain([&](int item) {
      ++seen;
      int& expected = next[static_cast<std::size_t>(item / kPosts)];
      EXPECT_EQ(item % kPosts, expected);
      ++expected;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(inbox.empty());
}

} // namespace
} // namespace loopgauge::core
