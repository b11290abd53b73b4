#include <cstdint>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <vector>

#include "loops/core/signal_pipe.hpp"

namespace loopgauge::core {
namespace {

std::vector<std::uint8_t> drained(SignalPipe& pipe) {
  std::vector<std::uint8_t> seen;
  pipe.drain([&seen](std::uint8_t signum) { seen.push_back(signum); });
  return seen;
}

TEST(SignalPipe, CarriesNumbersInOrder) {
  SignalPipe pipe;
  ASSERT_TRUE(pipe.open().ok());
  for (const std::uint8_t signum : std::vector<std::uint8_t>{2, 15, 0, 10}) {
    send_signal_byte(pipe.write_fd(), signum);
  }
  EXPECT_EQ(drained(pipe), (std::vector<std::uint8_t>{2, 15, 0, 10}));
  EXPECT_TRUE(drained(pipe).empty());
}

TEST(SignalPipe, DrainsMoreThanOneBuffer) {
  SignalPipe pipe;
  ASSERT_TRUE(pipe.open().ok());
  const std::vector<std::uint8_t> sent(1000, 10);
  ASSERT_TRUE(sys::write(pipe.write_fd(), sent.data(), sent.size()).ok());
  EXPECT_EQ(drained(pipe), sent);
  EXPECT_TRUE(drained(pipe).empty());
}

TEST(SignalPipe, AFullPipeDropsAndKeepsErrno) {
  SignalPipe pipe;
  ASSERT_TRUE(pipe.open().ok());
  while (sys::write(pipe.write_fd(), "x", 1).ok()) {
  }
  errno = ERANGE;
  send_signal_byte(pipe.write_fd(), 9);
  EXPECT_EQ(errno, ERANGE);
}

TEST(SignalPipe, OpensOnceAndClosesBothEnds) {
  SignalPipe pipe;
  ASSERT_TRUE(pipe.open().ok());
  const int read_fd = pipe.read_fd();
  const int write_fd = pipe.write_fd();
  ASSERT_TRUE(pipe.open().ok());
  EXPECT_EQ(pipe.read_fd(), read_fd);
  pipe.close();
  EXPECT_FALSE(pipe.is_open());
  EXPECT_LT(::fcntl(read_fd, F_GETFD), 0);
  EXPECT_LT(::fcntl(write_fd, F_GETFD), 0);
}

} // namespace
} // namespace loopgauge::core
