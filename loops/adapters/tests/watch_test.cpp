// Watched descriptors, as loopgauge_native.h promises.
#include <fcntl.h>
#include <memory>

#include "backend.hpp"

namespace loopgauge::adapters {
namespace {

class BackendWatches : public Backend {};

TEST_P(BackendWatches, ChainDoesNotStarveDescriptors) {
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

TEST_P(BackendWatches, WatchIsLevelTriggered) {
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

TEST_P(BackendWatches, RewatchChangesWhatIsLookedFor) {
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

TEST_P(BackendWatches, UnwatchedIsNotReported) {
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

TEST_P(BackendWatches, ReportsTheEndOfThePeer) {
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

TEST_P(BackendWatches, GoesOnReportingAnError) {
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

TEST_P(BackendWatches, RefusesADescriptorThatIsNone) {
  auto nobody = [](unsigned) {};
  errno = 0;
  EXPECT_EQ(table->watch(loop, 100'000, LOOPGAUGE_READABLE, watch_callback_of(nobody), &nobody),
            nullptr);
  EXPECT_NE(errno, 0);
}

INSTANTIATE_TEST_SUITE_P(All, BackendWatches, testing::ValuesIn(paths()), name_of);

} // namespace
} // namespace loopgauge::adapters
