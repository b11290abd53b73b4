#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"

namespace loopgauge::core {
namespace {

TEST(Syscall, FailureIsTheErrnoAndNoValue) {
  const Result<int> failed = sys::epoll_ctl(-1, EPOLL_CTL_ADD, 0, EPOLLIN, 1);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.error, EBADF);
  EXPECT_EQ(failed.value, 0);
}

TEST(Syscall, DescriptorsAreCloseOnExecAndNonBlocking) {
  const UniqueFd epoll(sys::epoll_create().value);
  const UniqueFd event(sys::eventfd().value);
  const Result<std::array<int, 2>> pair = sys::socketpair();
  ASSERT_TRUE(pair.ok());
  const UniqueFd left(pair.value[0]);
  const UniqueFd right(pair.value[1]);
  for (const int fd : {epoll.get(), event.get(), left.get(), right.get()}) {
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  for (const int fd : {event.get(), left.get(), right.get()}) {
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(Syscall, ReadOfAnEmptyNonBlockingDescriptorIsEagain) {
  const UniqueFd event(sys::eventfd().value);
  std::uint64_t count = 0;
  EXPECT_EQ(sys::read(event.get(), &count, sizeof count).error, EAGAIN);
}

TEST(Syscall, AnEventfdRefusesASingleByte) {
  // Why signals travel through a socket pair: signal.set_wakeup_fd() writes single bytes.
  const UniqueFd event(sys::eventfd().value);
  EXPECT_EQ(sys::write(event.get(), "x", 1).error, EINVAL);
}

} // namespace
} // namespace loopgauge::core
