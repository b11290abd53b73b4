// One suite over all backends: what loopgauge_native.h promises.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "loops/include/loopgauge_native.h"

extern "C" std::size_t loopgauge_table_size_in_c(void);

namespace {

constexpr std::int64_t ms = 1'000'000;

const loopgauge_backend* load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return nullptr;
  const auto entry =
      reinterpret_cast<loopgauge_native_entry>(::dlsym(library, "loopgauge_native_backend"));
  return entry != nullptr ? entry() : nullptr;
}

std::vector<std::string> paths() {
  std::vector<std::string> found;
  std::istringstream words(LOOPGAUGE_BACKEND_PATHS);
  for (std::string path; std::getline(words, path, ':');)
    found.push_back(path);
  return found;
}

class Backend : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    table = load(GetParam());
    ASSERT_NE(table, nullptr) << ::dlerror();
    loop = table->create();
    ASSERT_NE(loop, nullptr);
    // A test that waits for what never comes ends the process instead of hanging.
    ::alarm(60);
  }
  void TearDown() override {
    ::alarm(0);
    if (loop != nullptr)
      table->destroy(loop);
  }

  void run() { ASSERT_EQ(table->run(loop), 0); }
  void stop() { table->stop(loop); }

  const loopgauge_backend* table = nullptr;
  loopgauge_loop* loop = nullptr;
};

// A callback from a lambda, which must outlive its use.
template <class F>
loopgauge_task task_of(F& f) {
  return {[](void* data) { (*static_cast<F*>(data))(); }, &f, {}};
}
template <class F>
loopgauge_callback callback_of(F&) {
  return [](void* data) { (*static_cast<F*>(data))(); };
}
template <class F>
loopgauge_watch_callback watch_callback_of(F&) {
  return [](void* data, unsigned events) { (*static_cast<F*>(data))(events); };
}

struct SocketPair {
  std::array<int, 2> fd{-1, -1};
  SocketPair() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd.data()), 0);
  }
  ~SocketPair() {
    for (const int each : fd)
      ::close(each);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  void write() const { ASSERT_EQ(::write(fd[1], "x", 1), 1); }
  void read() const {
    char byte = 0;
    ASSERT_EQ(::read(fd[0], &byte, 1), 1);
  }
};

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

TEST_P(Backend, ChainDoesNotStarveDescriptors) {
  const SocketPair pair;
  int turns = 0;
  bool seen = false;
  loopgauge_task task{};
  auto again = [&] {
    if (++turns < 100'000)
      (void)table->post(loop, &task);
    else
      stop();
  };
  task = task_of(again);
  auto readable = [&](unsigned) {
    seen = true;
    stop();
  };
  loopgauge_watch* watch =
      table->watch(loop, pair.fd[0], LOOPGAUGE_READABLE, watch_callback_of(readable), &readable);
  ASSERT_NE(watch, nullptr);
  pair.write();
  ASSERT_EQ(table->post(loop, &task), 0);
  run();
  EXPECT_TRUE(seen);
  EXPECT_LT(turns, 1000);
  table->unwatch(watch);
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

TEST_P(Backend, PollWaitsForATimer) {
  bool fired = false;
  auto due = [&] { fired = true; };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  ASSERT_NE(timer, nullptr);
  const std::int64_t deadline = table->now(loop) + 3 * ms;
  ASSERT_EQ(table->timer_arm(timer, deadline), 0);
  while (!fired)
    ASSERT_EQ(table->poll(loop, 1), 0);
  EXPECT_GE(table->now(loop), deadline);
  table->timer_destroy(timer);
}

TEST_P(Backend, TimersAreNeverEarlyAndInTheOrderOfTheirDeadlines) {
  struct Due {
    Backend* test;
    const loopgauge_backend* table;
    loopgauge_loop* loop;
    std::vector<int>* order;
    std::int64_t deadline;
    int number;
    std::int64_t early = 0;
    void operator()() {
      early = std::max<std::int64_t>(deadline - table->now(loop), 0);
      order->push_back(number);
      if (order->size() == 20)
        table->stop(loop);
    }
  };
  std::vector<int> order;
  std::vector<Due> dues;
  dues.reserve(20);
  std::vector<loopgauge_timer*> timers;
  const std::int64_t now = table->now(loop);
  for (int i = 0; i < 20; ++i) {
    // Fractions of a millisecond, whole ones apart, in a mixed order.
    const int place = i * 7 % 20;
    dues.push_back({this, table, loop, &order, now + (place + 1) * 2 * ms + place * 12'345, place});
    timers.push_back(table->timer_create(loop, callback_of(dues.back()), &dues.back()));
    ASSERT_NE(timers.back(), nullptr);
    ASSERT_EQ(table->timer_arm(timers.back(), dues.back().deadline), 0);
  }
  run();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (const Due& due : dues)
    EXPECT_EQ(due.early, 0) << "timer " << due.number;
  for (loopgauge_timer* timer : timers)
    table->timer_destroy(timer);
}

TEST_P(Backend, TimerThatIsLateInArmingIsNotEarly) {
  // The library's idea of now is old by then.
  std::int64_t deadline = 0;
  std::int64_t seen = 0;
  auto due = [&] {
    seen = table->now(loop);
    stop();
  };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  auto busy = [&] {
    const std::int64_t until = table->now(loop) + 5 * ms;
    while (table->now(loop) < until) {
    }
    deadline = table->now(loop) + ms;
    (void)table->timer_arm(timer, deadline);
  };
  loopgauge_task task = task_of(busy);
  ASSERT_EQ(table->post(loop, &task), 0);
  run();
  EXPECT_GE(seen, deadline);
  table->timer_destroy(timer);
}

TEST_P(Backend, CancelledTimerDoesNotFire) {
  int fired = 0;
  auto never = [&] { ++fired; };
  auto end = [this] { stop(); };
  loopgauge_timer* cancelled = table->timer_create(loop, callback_of(never), &never);
  loopgauge_timer* destroyed = table->timer_create(loop, callback_of(never), &never);
  loopgauge_timer* last = table->timer_create(loop, callback_of(end), &end);
  const std::int64_t now = table->now(loop);
  ASSERT_EQ(table->timer_arm(cancelled, now + ms), 0);
  ASSERT_EQ(table->timer_arm(destroyed, now + ms), 0);
  ASSERT_EQ(table->timer_arm(last, now + 5 * ms), 0);
  table->timer_cancel(cancelled);
  table->timer_cancel(cancelled);
  table->timer_destroy(destroyed);
  run();
  EXPECT_EQ(fired, 0);
  table->timer_destroy(cancelled);
  table->timer_destroy(last);
}

TEST_P(Backend, TimerCancelledBesideOneThatIsDueDoesNotFire) {
  // Both are due in the same turn; whichever comes first cancels the other.
  struct Rival {
    const loopgauge_backend* table;
    loopgauge_loop* loop;
    int* fired;
    loopgauge_timer** other;
    void operator()() const {
      ++*fired;
      table->timer_cancel(*other);
      table->stop(loop);
    }
  };
  int fired = 0;
  std::array<loopgauge_timer*, 2> timers{};
  std::array<Rival, 2> rivals{Rival{table, loop, &fired, &timers[1]},
                              Rival{table, loop, &fired, &timers[0]}};
  const std::int64_t deadline = table->now(loop) + 2 * ms;
  for (std::size_t i = 0; i < 2; ++i) {
    timers[i] = table->timer_create(loop, callback_of(rivals[i]), &rivals[i]);
    ASSERT_EQ(table->timer_arm(timers[i], deadline), 0);
  }
  while (table->now(loop) < deadline + ms) {
  }
  run();
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(fired, 1);
  for (loopgauge_timer* timer : timers)
    table->timer_destroy(timer);
}

TEST_P(Backend, ArmedAgainItFiresOnceAndLater) {
  int fired = 0;
  std::int64_t seen = 0;
  auto due = [&] {
    ++fired;
    seen = table->now(loop);
    stop();
  };
  loopgauge_timer* timer = table->timer_create(loop, callback_of(due), &due);
  const std::int64_t now = table->now(loop);
  ASSERT_EQ(table->timer_arm(timer, now + ms), 0);
  ASSERT_EQ(table->timer_arm(timer, now + 6 * ms), 0);
  run();
  EXPECT_EQ(fired, 1);
  EXPECT_GE(seen, now + 6 * ms);
  ASSERT_EQ(table->timer_arm(timer, table->now(loop)), 0); // due at once
  run();
  EXPECT_EQ(fired, 2);
  table->timer_destroy(timer);
}

TEST_P(Backend, WatchIsLevelTriggered) {
  const SocketPair pair;
  int seen = 0;
  auto readable = [&](unsigned events) {
    EXPECT_NE(events & LOOPGAUGE_READABLE, 0U);
    if (++seen == 3) {
      pair.read();
      stop();
    }
  };
  loopgauge_watch* watch =
      table->watch(loop, pair.fd[0], LOOPGAUGE_READABLE, watch_callback_of(readable), &readable);
  ASSERT_NE(watch, nullptr);
  pair.write();
  run();
  EXPECT_EQ(seen, 3);
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(seen, 3); // nothing is left to be read
  table->unwatch(watch);
}

TEST_P(Backend, RewatchChangesWhatIsLookedFor) {
  const SocketPair pair;
  unsigned seen = 0;
  auto ready = [&](unsigned events) {
    seen |= events;
    stop();
  };
  loopgauge_watch* watch =
      table->watch(loop, pair.fd[0], LOOPGAUGE_WRITABLE, watch_callback_of(ready), &ready);
  ASSERT_NE(watch, nullptr);
  run();
  EXPECT_EQ(seen, LOOPGAUGE_WRITABLE);
  ASSERT_EQ(table->rewatch(watch, 0), 0);
  pair.write();
  seen = 0;
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(seen, 0U);
  ASSERT_EQ(table->rewatch(watch, LOOPGAUGE_READABLE), 0);
  run();
  EXPECT_EQ(seen, LOOPGAUGE_READABLE);
  table->unwatch(watch);
}

TEST_P(Backend, UnwatchedIsNotReported) {
  const SocketPair first;
  const SocketPair second;
  int seen = 0;
  std::array<loopgauge_watch*, 2> watches{};
  // Both are readable in the same turn; whichever comes first takes the other away.
  struct Rival {
    const loopgauge_backend* table;
    loopgauge_loop* loop;
    int* seen;
    loopgauge_watch** own;
    loopgauge_watch** other;
    void operator()(unsigned) const {
      ++*seen;
      for (loopgauge_watch** watch : {own, other}) {
        table->unwatch(*watch);
        *watch = nullptr;
      }
      table->stop(loop);
    }
  };
  std::array<Rival, 2> rivals{Rival{table, loop, &seen, &watches[0], &watches[1]},
                              Rival{table, loop, &seen, &watches[1], &watches[0]}};
  const std::array<int, 2> fds{first.fd[0], second.fd[0]};
  for (std::size_t i = 0; i < 2; ++i) {
    watches[i] =
        table->watch(loop, fds[i], LOOPGAUGE_READABLE, watch_callback_of(rivals[i]), &rivals[i]);
    ASSERT_NE(watches[i], nullptr);
  }
  first.write();
  second.write();
  run();
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(seen, 1);
}

TEST_P(Backend, ReportsTheEndOfThePeer) {
  auto pair = std::make_unique<SocketPair>();
  bool seen = false;
  auto readable = [&](unsigned) {
    seen = true;
    stop();
  };
  loopgauge_watch* watch =
      table->watch(loop, pair->fd[0], LOOPGAUGE_READABLE, watch_callback_of(readable), &readable);
  ASSERT_NE(watch, nullptr);
  ASSERT_EQ(::shutdown(pair->fd[1], SHUT_WR), 0);
  run();
  EXPECT_TRUE(seen);
  table->unwatch(watch);
}

TEST_P(Backend, GoesOnReportingAnError) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
  ASSERT_EQ(::close(ends[0]), 0);
  int seen = 0;
  auto writable = [&](unsigned events) {
    EXPECT_NE(events & LOOPGAUGE_WRITABLE, 0U);
    if (++seen == 3)
      stop();
  };
  loopgauge_watch* watch =
      table->watch(loop, ends[1], LOOPGAUGE_WRITABLE, watch_callback_of(writable), &writable);
  ASSERT_NE(watch, nullptr);
  for (int i = 0; i < 10 && seen < 3; ++i)
    ASSERT_EQ(table->poll(loop, 0), 0);
  EXPECT_EQ(seen, 3);
  table->unwatch(watch);
  ::close(ends[1]);
}

TEST_P(Backend, RefusesADescriptorThatIsNone) {
  auto nobody = [](unsigned) {};
  errno = 0;
  EXPECT_EQ(table->watch(loop, 100'000, LOOPGAUGE_READABLE, watch_callback_of(nobody), &nobody),
            nullptr);
  EXPECT_NE(errno, 0);
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

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  const std::size_t start = info.param.rfind("native_") + 7;
  return info.param.substr(start, info.param.rfind(".so") - start);
}

INSTANTIATE_TEST_SUITE_P(All, Backend, testing::ValuesIn(paths()), name_of);

} // namespace
