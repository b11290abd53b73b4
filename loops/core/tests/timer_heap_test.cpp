#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "loops/core/timer_heap.hpp"

namespace loopgauge::core {
namespace {

struct Timer {
  int id = 0;
  std::size_t index = static_cast<std::size_t>(-1);
};

struct Traits {
  static void set_index(Timer* timer, std::size_t index) noexcept { timer->index = index; }
};

using Heap = TimerHeap<Timer*, Traits>;

std::vector<Timer> make_timers(std::size_t count) {
  std::vector<Timer> timers(count);
  for (std::size_t i = 0; i < count; ++i) {
    timers[i].id = static_cast<int>(i);
  }
  return timers;
}

TEST(TimerHeap, OrdersByDeadlineThenByPush) {
  std::vector<Timer> timers = make_timers(5);
  Heap heap;
  heap.push(30, &timers[0]);
  heap.push(10, &timers[1]);
  heap.push(20, &timers[2]);
  heap.push(10, &timers[3]);
  heap.push(std::numeric_limits<std::int64_t>::min(), &timers[4]);
  std::vector<int> order;
  while (!heap.empty()) {
    order.push_back(heap.pop()->id);
  }
  EXPECT_EQ(order, (std::vector<int>{4, 1, 3, 2, 0}));
}

TEST(TimerHeap, ThousandEqualDeadlinesLeaveInOrder) {
  std::vector<Timer> timers = make_timers(1000);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(5, &timer);
  }
  for (int id = 0; id < 1000; ++id) {
    ASSERT_EQ(heap.pop()->id, id);
  }
}

TEST(TimerHeap, AgreesWithASortedModel) {
  std::vector<Timer> timers = make_timers(500);
  std::vector<std::tuple<std::int64_t, std::uint64_t>> keys(timers.size());
  std::set<std::tuple<std::int64_t, std::uint64_t, int>> model;
  Heap heap;
  std::uint64_t sequence = 0;
  std::mt19937 random(3); // NOLINT(cert-msc*): repeatable
  for (int step = 0; step < 100'000; ++step) {
    Timer& timer = timers[random() % timers.size()];
    const auto slot = static_cast<std::size_t>(timer.id);
    if (timer.index == Heap::npos) {
      const auto deadline = static_cast<std::int64_t>(random() % 64); // many ties
      keys[slot] = {deadline, sequence};
      model.emplace(deadline, sequence++, timer.id);
      heap.push(deadline, &timer);
    } else if (step % 3 == 0) {
      const int first = std::get<2>(*model.begin());
      ASSERT_EQ(heap.top_deadline(), std::get<0>(*model.begin()));
      ASSERT_EQ(heap.top()->id, first);
      model.erase(model.begin());
      ASSERT_EQ(heap.pop()->index, Heap::npos);
    } else {
      model.erase({std::get<0>(keys[slot]), std::get<1>(keys[slot]), timer.id});
      ASSERT_EQ(heap.remove(timer.index), &timer);
      ASSERT_EQ(timer.index, Heap::npos);
    }
    ASSERT_EQ(heap.size(), model.size());
  }
  for (const auto& [deadline, ignored, id] : model) {
    ASSERT_EQ(heap.top_deadline(), deadline);
    ASSERT_EQ(heap.pop()->id, id);
  }
}

TEST(TimerHeap, AMillionCancelledTimersLeaveNothing) {
  std::vector<Timer> timers = make_timers(1'000'000);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(static_cast<std::int64_t>(timer.id) * 7919 % 1'000'003, &timer);
  }
  for (Timer& timer : timers) {
    heap.remove(timer.index);
  }
  EXPECT_TRUE(heap.empty());
  EXPECT_LE(heap.capacity(), Heap::kKept * 8);
}

TEST(TimerHeap, ALongLivedTimerDoesNotKeepTheMemoryOfTheOthers) {
  std::vector<Timer> timers = make_timers(100'001);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(timer.id, &timer);
  }
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(heap.pop()->id, i);
  }
  EXPECT_EQ(heap.top()->id, 100'000);
  EXPECT_LE(heap.capacity(), Heap::kKept * 8);
}

TEST(TimerHeap, ScheduleAndCancelAtOneSizeAllocatesNothing) {
  std::vector<Timer> timers = make_timers(50'000);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(timer.id, &timer);
  }
  const std::size_t capacity = heap.capacity();
  for (int step = 0; step < 100'000; ++step) {
    Timer& timer = timers[static_cast<std::size_t>(step) % timers.size()];
    heap.remove(timer.index);
    heap.push(step, &timer);
    ASSERT_EQ(heap.capacity(), capacity);
  }
}

TEST(TimerHeap, ClearMarksAllAsOutBeforeTheFirstCall) {
  std::vector<Timer> timers = make_timers(100);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(timer.id, &timer);
  }
  std::size_t called = 0;
  heap.clear([&](Timer*) {
    ++called;
    for (const Timer& timer : timers) {
      ASSERT_EQ(timer.index, Heap::npos);
    }
    EXPECT_TRUE(heap.empty());
  });
  EXPECT_EQ(called, timers.size());
}

TEST(TimerHeap, WhatClearPushesStays) {
  std::vector<Timer> timers = make_timers(2);
  Heap heap;
  heap.push(1, &timers[0]);
  heap.clear([&](Timer*) { heap.push(9, &timers[1]); });
  EXPECT_EQ(heap.size(), 1U);
  EXPECT_EQ(heap.top(), &timers[1]);
}

TEST(TimerHeap, ForEachSeesEveryItemOnce) {
  std::vector<Timer> timers = make_timers(100);
  Heap heap;
  for (Timer& timer : timers) {
    heap.push(-timer.id, &timer);
  }
  std::set<int> seen;
  heap.for_each([&seen](const Timer* timer) { EXPECT_TRUE(seen.insert(timer->id).second); });
  EXPECT_EQ(seen.size(), timers.size());
}

} // namespace
} // namespace loopgauge::core
