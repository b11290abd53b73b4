// Tasks, threads, signals and the end of a loop, as loopgauge_native.h promises.
#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <signal.h>
#include <thread>

#include "backend.hpp"

extern "C" std::size_t loopgauge_table_size_in_c(void);

namespace loopgauge::adapters {
namespace {

TEST_P(Backend, SaysWhatItIs) {
  EXPECT_EQ(table->abi, LOOPGAUGE_NATIVE_ABI);
  EXPECT_EQ(table->size, loopgauge_table_size_in_c());
  EXPECT_NE(std::string(table->name), "");
  EXPECT_NE(std::string(table->version), "");
}

TEST_P(Backend, RunsTasksInTheirOrder) {
  constexpr int count = 1000;
  std::vector<int> order;
  struct Numbered {
    std::vector<int>* order;
    int number;
    void operator()() const { order->push_back(number); }
  };
  std::vector<Numbered> works;
  for (int i = 0; i < count; ++i)
    works.push_back({&order, i});
  std::vector<loopgauge_task> tasks;
  for (Numbered& work : works)
    tasks.push_back(task_of(work));
  auto end = [this] { stop(); };
  loopgauge_task last = task_of(end);
  for (loopgauge_task& task : tasks)
    ASSERT_EQ(table->post(loop, &task), 0);
  ASSERT_EQ(table->post(loop, &last), 0);
  run();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(Backend, KeepsForTheNextRunWhatItDidNotRun) {
  int ran = 0;
  auto first = [&] {
    ++ran;
    stop();
  };
  auto second = [&] {
    ++ran;
    stop();
  };
  loopgauge_task a = task_of(first);
  loopgauge_task b = task_of(second);
  ASSERT_EQ(table->post(loop, &a), 0);
  ASSERT_EQ(table->post(loop, &b), 0);
  run();
  if (ran == 1)
    run();
  EXPECT_EQ(ran, 2);
}

TEST_P(Backend, StopBeforeARunHasNoEffect) {
  bool ran = false;
  auto work = [&] {
    ran = true;
    stop();
  };
  loopgauge_task task = task_of(work);
  stop();
  ASSERT_EQ(table->post(loop, &task), 0);
  run();
  EXPECT_TRUE(ran);
}

TEST_P(Backend, PollWithoutWaitingReturns) {
  EXPECT_EQ(table->poll(loop, 0), 0);
  int ran = 0;
  auto work = [&] { ++ran; };
  loopgauge_task task = task_of(work);
  ASSERT_EQ(table->post(loop, &task), 0);
  while (ran == 0)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(ran, 1);
}

TEST_P(Backend, ThreadWakesTheSleepingLoop) {
  int ran = 0;
  constexpr int rounds = 100;
  std::thread producer;
  auto end = [&] { stop(); };
  loopgauge_task last = task_of(end);
  struct Step {
    int* ran;
    void operator()() const { ++*ran; }
  } step{&ran};
  std::vector<loopgauge_task> tasks(rounds, task_of(step));
  producer = std::thread([&] {
    for (loopgauge_task& task : tasks) {
      EXPECT_EQ(table->post_threadsafe(loop, &task), 0);
      std::this_thread::yield();
    }
    EXPECT_EQ(table->post_threadsafe(loop, &last), 0);
  });
  run();
  producer.join();
  EXPECT_EQ(ran, rounds);
}

TEST_P(Backend, TasksOfOneThreadRunInItsOrder) {
  constexpr int count = 5000;
  std::vector<int> order;
  struct Numbered {
    std::vector<int>* order;
    int number;
    void operator()() const { order->push_back(number); }
  };
  std::vector<Numbered> works;
  for (int i = 0; i < count; ++i)
    works.push_back({&order, i});
  std::vector<loopgauge_task> tasks;
  for (Numbered& work : works)
    tasks.push_back(task_of(work));
  auto end = [this] { stop(); };
  loopgauge_task last = task_of(end);
  std::thread producer([&] {
    for (loopgauge_task& task : tasks)
      EXPECT_EQ(table->post_threadsafe(loop, &task), 0);
    EXPECT_EQ(table->post_threadsafe(loop, &last), 0);
  });
  run();
  producer.join();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(Backend, ReportsSignalsAndLeavesThemToTheNextLoop) {
  int seen = 0;
  auto signalled = [&] {
    ++seen;
    stop();
  };
  loopgauge_loop* own = loop;
  loopgauge_loop* other = table->create();
  for (loopgauge_loop* turn : {own, other, own}) {
    loop = turn;
    loopgauge_signal* watched =
        table->signal_watch(loop, SIGUSR1, callback_of(signalled), &signalled);
    ASSERT_NE(watched, nullptr);
    seen = 0;
    for (int i = 1; i <= 3; ++i) {
      ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
      run();
      EXPECT_EQ(seen, i);
    }
    table->signal_unwatch(watched);
  }
  table->destroy(other);
}

TEST_P(Backend, EachMayBeDestroyedInItsOwnCallback) {
  const SocketPair pair;
  int seen = 0;
  loopgauge_timer* timer = nullptr;
  loopgauge_watch* watch = nullptr;
  loopgauge_signal* watched = nullptr;
  const auto end_with_the_last = [&] {
    if (++seen == 3)
      stop();
  };
  auto due = [&] {
    table->timer_destroy(timer);
    end_with_the_last();
  };
  auto readable = [&](unsigned) {
    table->unwatch(watch);
    end_with_the_last();
  };
  auto signalled = [&] {
    table->signal_unwatch(watched);
    end_with_the_last();
  };
  timer = table->timer_create(loop, callback_of(due), &due);
  watch = table->watch(loop, pair.fd[0], LOOPGAUGE_READABLE | LOOPGAUGE_WRITABLE,
                       watch_callback_of(readable), &readable);
  watched = table->signal_watch(loop, SIGUSR1, callback_of(signalled), &signalled);
  ASSERT_EQ(table->timer_arm(timer, table->now(loop)), 0);
  pair.write();
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  run();
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(seen, 3);
}

TEST_P(Backend, DestroysWhatIsLeftQueued) {
  auto never = [] { FAIL() << "ran after destroy()"; };
  loopgauge_task task = task_of(never);
  loopgauge_task other = task_of(never);
  ASSERT_EQ(table->post(loop, &task), 0);
  ASSERT_EQ(table->post_threadsafe(loop, &other), 0);
  loopgauge_timer* timer = table->timer_create(loop, callback_of(never), &never);
  ASSERT_EQ(table->timer_arm(timer, table->now(loop) + 1000 * ms), 0);
  table->timer_destroy(timer);
  table->destroy(loop);
  loop = nullptr;
}

INSTANTIATE_TEST_SUITE_P(All, Backend, testing::ValuesIn(paths()), name_of);

} // namespace
} // namespace loopgauge::adapters
