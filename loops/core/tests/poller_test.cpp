#include <array>
#include <cstdint>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <span>
#include <sys/mman.h>

#include "loops/core/clock.hpp"
#include "loops/core/poller.hpp"
#include "loops/core/slot_table.hpp"
#include "loops/core/tests/support.hpp"
#include "loops/core/timer_slack.hpp"

namespace loopgauge::core {
namespace {

using testing_support::Alarms;
using testing_support::SocketPair;
using testing_support::true_in_child;

constexpr std::int64_t kMs = 1'000'000;

int g_precise_calls = 0;

Result<int> not_implemented(int /*epoll*/, std::span<epoll_event> /*events*/,
                            std::int64_t /*timeout*/) noexcept {
  ++g_precise_calls;
  return Result<int>::failed(ENOSYS);
}

Result<int> not_permitted(int /*epoll*/, std::span<epoll_event> /*events*/,
                          std::int64_t /*timeout*/) noexcept {
  ++g_precise_calls;
  return Result<int>::failed(EPERM);
}

class PollerTest : public testing::Test {
 protected:
  PollerTest() { EXPECT_TRUE(poller.open().ok()); }

  Result<int> look() { return poller.wait(events, 0); }
  // Copies: epoll_event is packed, and a reference to a member would be misaligned.
  std::uint64_t first_key() const { return events[0].data.u64; }
  std::uint32_t first_events() const { return events[0].events; }

  Poller poller;
  SocketPair pair;
  std::array<epoll_event, 4> events{};
};

TEST_F(PollerTest, ReportsTheKeyAndTheEvents) {
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 77).ok());
  EXPECT_EQ(look().value, 0);
  pair.send_to_left();
  ASSERT_EQ(look().value, 1);
  EXPECT_EQ(first_key(), 77U);
  EXPECT_EQ(first_events(), std::uint32_t{EPOLLIN});
}

TEST_F(PollerTest, ModifyChangesInterestAndKey) {
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 1).ok());
  ASSERT_TRUE(poller.modify(pair.left.get(), EPOLLOUT, 2).ok());
  ASSERT_EQ(look().value, 1);
  EXPECT_EQ(first_key(), 2U);
  EXPECT_EQ(first_events(), std::uint32_t{EPOLLOUT});
}

TEST_F(PollerTest, RemoveEndsTheEvents) {
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 1).ok());
  pair.send_to_left();
  ASSERT_TRUE(poller.remove(pair.left.get()).ok());
  EXPECT_EQ(look().value, 0);
}

TEST_F(PollerTest, PassesTheKernelsErrorsOn) {
  EXPECT_EQ(poller.modify(pair.left.get(), EPOLLIN, 1).error, ENOENT);
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 1).ok());
  EXPECT_EQ(poller.add(pair.left.get(), EPOLLIN, 1).error, EEXIST);
  EXPECT_EQ(poller.add(-1, EPOLLIN, 1).error, EBADF);
  const UniqueFd file(::memfd_create("a regular file", MFD_CLOEXEC));
  ASSERT_TRUE(file);
  EXPECT_EQ(poller.add(file.get(), EPOLLIN, 1).error, EPERM);
}

TEST(Poller, DoesNothingBeforeOpen) {
  Poller poller;
  std::array<epoll_event, 1> events{};
  EXPECT_FALSE(poller.is_open());
  EXPECT_EQ(poller.add(0, EPOLLIN, 1).error, EBADF);
  EXPECT_EQ(poller.wait(events, 0).error, EBADF);
}

TEST(Poller, OpenIsIdempotentAndCloseCloses) {
  Poller poller;
  ASSERT_TRUE(poller.open().ok());
  const int fd = poller.fd();
  ASSERT_TRUE(poller.open().ok());
  EXPECT_EQ(poller.fd(), fd);
  poller.close();
  EXPECT_FALSE(poller.is_open());
  EXPECT_LT(::fcntl(fd, F_GETFD), 0);
}

// Each wait of these lasts as long as asked: a property, whatever the machine's load.
void expect_never_early(Poller& poller) {
  ASSERT_TRUE(poller.open().ok());
  std::array<epoll_event, 1> events{};
  for (const std::int64_t timeout : {std::int64_t{1}, kMs / 10, kMs - 1, kMs, kMs + 1, 2 * kMs}) {
    const std::int64_t begin = now_ns();
    const Result<int> waited = poller.wait(events, timeout);
    const std::int64_t lasted = now_ns() - begin;
    ASSERT_TRUE(waited.ok());
    ASSERT_EQ(waited.value, 0);
    EXPECT_GE(lasted, timeout);
  }
}

TEST(Poller, IsNeverEarly) {
  Poller poller;
  expect_never_early(poller);
}

// The first wait ends at once, as an interrupt at the beginning of its range would end it; the
// second has an event.
std::int64_t g_asked[2];
Result<int> woken_early(int, std::span<epoll_event>, std::int64_t timeout) noexcept {
  g_asked[g_precise_calls] = timeout;
  return {g_precise_calls++, 0};
}

TEST(Poller, AsksForLessThanTheSlackAndOnceMoreIfWokenEarly) {
  g_precise_calls = 0;
  Poller poller(&woken_early);
  ASSERT_TRUE(poller.open().ok());
  std::array<epoll_event, 1> events{};
  constexpr std::int64_t hour = 3'600'000 * kMs;
  EXPECT_EQ(poller.wait(events, hour).value, 1);
  EXPECT_EQ(g_precise_calls, 2);
  EXPECT_EQ(g_asked[0], hour - TimerSlack::of_thread().of(hour));
  EXPECT_LE(g_asked[1], g_asked[0]);
}

TEST(Poller, FallsBackWithoutThePreciseCallAndAsksForItOnce) {
  for (const Poller::PreciseWait refusing : {&not_implemented, &not_permitted}) {
    g_precise_calls = 0;
    Poller poller(refusing);
    expect_never_early(poller);
    EXPECT_EQ(g_precise_calls, 1);
  }
}

TEST(Poller, DoesNotNeedThePreciseCallToLookOrToWaitWithoutEnd) {
  g_precise_calls = 0;
  Poller poller(&not_implemented);
  SocketPair pair;
  std::array<epoll_event, 1> events{};
  ASSERT_TRUE(poller.open().ok());
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 1).ok());
  pair.send_to_left();
  EXPECT_EQ(poller.wait(events, 0).value, 1);
  EXPECT_EQ(poller.wait(events, -1).value, 1);
  EXPECT_EQ(g_precise_calls, 0);
}

TEST_F(PollerTest, ASignalInterruptsAWait) {
  const Alarms alarms;
  EXPECT_EQ(poller.wait(events, -1).error, EINTR);
  EXPECT_EQ(poller.wait(events, 3'600'000 * kMs).error, EINTR);
}

TEST_F(PollerTest, AForkedChildCannotChangeTheParentsSet) {
  ASSERT_TRUE(poller.add(pair.left.get(), EPOLLIN, 7).ok());
  EXPECT_FALSE(poller.is_foreign());
  EXPECT_TRUE(true_in_child([this] {
    const bool refused =
        poller.is_foreign() && poller.add(pair.right.get(), EPOLLIN, 8).error == EBADF &&
        poller.modify(pair.left.get(), EPOLLOUT, 9).error == EBADF && look().error == EBADF;
    const bool removed = poller.remove(pair.left.get()).ok();
    poller.close();
    return refused && removed;
  }));
  pair.send_to_left();
  ASSERT_EQ(look().value, 1);
  EXPECT_EQ(first_key(), 7U);
}

TEST(Poller, OpenedInTheChildBelongsToTheChild) {
  EXPECT_TRUE(true_in_child([] {
    Poller poller;
    std::array<epoll_event, 1> events{};
    return poller.open().ok() && !poller.is_foreign() && poller.wait(events, 0).ok();
  }));
}

TEST_F(PollerTest, AnEventOfAClosedDescriptorIsToldFromThoseOfItsSuccessor) {
  SlotTable<int> table;
  const int number = pair.left.get();
  const std::uint64_t old_key = table.open(number, 1);
  ASSERT_TRUE(poller.add(number, EPOLLIN, old_key).ok());
  pair.send_to_left();
  // The file lives on in a duplicate, so closing the number does not take it out of epoll.
  const UniqueFd duplicate(::fcntl(number, F_DUPFD_CLOEXEC, 0));
  const SocketPair other;
  pair.left.reset();
  table.close(number);
  const UniqueFd successor(::dup3(other.left.get(), number, O_CLOEXEC));
  ASSERT_EQ(successor.get(), number);
  const std::uint64_t new_key = table.open(number, 2);
  ASSERT_TRUE(poller.add(number, EPOLLIN, new_key).ok());

  ASSERT_EQ(look().value, 1);
  EXPECT_EQ(first_key(), old_key);
  EXPECT_EQ(table.get(first_key()), nullptr);

  other.send_to_left();
  bool reached = false;
  const Result<int> found = look();
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(found.value))) {
    const int* value = table.get(event.data.u64);
    reached = reached || (value != nullptr && *value == 2);
  }
  EXPECT_TRUE(reached);
}

} // namespace
} // namespace loopgauge::core
