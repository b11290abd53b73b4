#include <algorithm>
#include <cstddef>
#include <deque>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "loops/core/ready_queue.hpp"

namespace loopgauge::core {
namespace {

using Queue = ReadyQueue<int>;

std::vector<int> contents(Queue& queue) {
  std::vector<int> seen;
  queue.for_each([&seen](int item) { seen.push_back(item); });
  return seen;
}

void fill(Queue& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    queue.push_back(static_cast<int>(i));
  }
}

void empty_out(Queue& queue) {
  while (!queue.empty()) {
    queue.pop_front();
  }
}

TEST(ReadyQueue, AllocatesNothingUntilThePush) {
  Queue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.capacity(), 0U);
  queue.trim();
  EXPECT_EQ(contents(queue), std::vector<int>{});
}

TEST(ReadyQueue, BehavesLikeADeque) {
  Queue queue;
  std::deque<int> model;
  std::mt19937 random(11); // NOLINT(cert-msc*): repeatable
  for (int i = 0; i < 200'000; ++i) {
    // Phases of growth and of shrinking, so that the ring wraps at many sizes.
    const unsigned growing = (i / 5000) % 2 == 0 ? 6 : 3;
    const auto draw = random() % 10;
    if (draw < growing) {
      queue.push_back(i);
      model.push_back(i);
    } else if (draw == 9) {
      queue.push_front(i);
      model.push_front(i);
    } else if (!model.empty()) {
      ASSERT_EQ(queue.pop_front(), model.front());
      model.pop_front();
    }
    if (i % 100 == 0) {
      queue.trim();
    }
    ASSERT_EQ(queue.size(), model.size());
  }
  EXPECT_EQ(contents(queue), std::vector<int>(model.begin(), model.end()));
}

TEST(ReadyQueue, PushFrontWorksOnAnEmptyAndOnAFullQueue) {
  Queue queue;
  queue.push_front(2);
  queue.push_front(1);
  while (queue.size() < queue.capacity()) {
    queue.push_back(3);
  }
  queue.push_front(0);
  EXPECT_EQ(queue.pop_front(), 0);
  EXPECT_EQ(queue.pop_front(), 1);
  EXPECT_EQ(queue.pop_front(), 2);
  EXPECT_EQ(queue.pop_front(), 3);
}

TEST(ReadyQueue, ForEachMayOverwrite) {
  Queue queue;
  fill(queue, 3);
  queue.for_each([](int& item) { item *= 10; });
  EXPECT_EQ(contents(queue), (std::vector<int>{0, 10, 20}));
}

TEST(ReadyQueue, AHugeBurstIsGivenBackByTheNextTrim) {
  Queue queue;
  fill(queue, 1'000'000);
  empty_out(queue);
  queue.trim();
  EXPECT_LE(queue.capacity(), Queue::kKept);
}

TEST(ReadyQueue, AMediumBurstIsGivenBackAfterACalmPeriod) {
  Queue queue;
  fill(queue, 20'000);
  empty_out(queue);
  for (unsigned turn = 0; turn < Queue::kCalmTurns; ++turn) {
    queue.push_back(1); // never empty at the end of a turn: still given back
    queue.trim();
    queue.pop_front();
  }
  EXPECT_LE(queue.capacity(), Queue::kKept);
}

TEST(ReadyQueue, ARepeatedMediumBurstKeepsItsMemory) {
  Queue queue;
  fill(queue, 5000);
  const std::size_t capacity = queue.capacity();
  for (int turn = 0; turn < 1000; ++turn) {
    queue.trim();
    ASSERT_EQ(queue.capacity(), capacity);
    empty_out(queue);
    queue.trim();
    ASSERT_EQ(queue.capacity(), capacity);
    fill(queue, 5000);
  }
}

TEST(ReadyQueue, TrimKeepsWhatIsQueued) {
  Queue queue;
  fill(queue, Queue::kHuge + 1);
  for (std::size_t i = 0; i < Queue::kHuge - 1; ++i) {
    queue.pop_front();
  }
  queue.trim();
  EXPECT_LE(queue.capacity(), Queue::kKept);
  const int next = static_cast<int>(Queue::kHuge) - 1;
  EXPECT_EQ(contents(queue), (std::vector<int>{next, next + 1}));
}

TEST(ReadyQueue, ClearHandsOverInOrderAndFreesEverything) {
  Queue queue;
  fill(queue, 5000);
  std::vector<int> seen;
  queue.clear([&seen](int item) { seen.push_back(item); });
  EXPECT_EQ(seen.size(), 5000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(queue.capacity(), 0U);
  queue.push_back(1);
  EXPECT_EQ(queue.pop_front(), 1);
}

TEST(ReadyQueue, WhatClearPushesStaysQueued) {
  Queue queue;
  fill(queue, 3);
  queue.clear([&queue](int item) { queue.push_back(item + 100); });
  EXPECT_EQ(contents(queue), (std::vector<int>{100, 101, 102}));
}

} // namespace
} // namespace loopgauge::core
