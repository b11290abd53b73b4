// What several tests of the core need.
#pragma once

#include <array>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"

namespace loopgauge::core::testing_support {

/// A connected pair of non-blocking stream sockets.
struct SocketPair {
  SocketPair() {
    const Result<std::array<int, 2>> pair = sys::socketpair();
    EXPECT_TRUE(pair.ok());
    left.reset(pair.value[0]);
    right.reset(pair.value[1]);
  }

  void send_to_left() const { EXPECT_EQ(sys::write(right.get(), "x", 1).value, 1); }

  UniqueFd left;
  UniqueFd right;
};

/// Runs `f() -> bool` in a forked child; true when it returned true there.
template <class F>
bool true_in_child(F&& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(f() ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// SIGALRM every millisecond while it lives: whenever a wait begins, one comes during it.
class Alarms {
 public:
  Alarms() {
    struct sigaction action = {};
    action.sa_handler = [](int) { received = received + 1; };
    action.sa_flags = SA_RESTART; // epoll_wait is interrupted nevertheless
    (void)::sigaction(SIGALRM, &action, &former_);
    const itimerval every_ms{{0, 1000}, {0, 1000}};
    (void)::setitimer(ITIMER_REAL, &every_ms, nullptr);
  }
  ~Alarms() {
    const itimerval never{};
    (void)::setitimer(ITIMER_REAL, &never, nullptr);
    (void)::sigaction(SIGALRM, &former_, nullptr);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  static inline volatile sig_atomic_t received = 0; // NOLINT(*-non-const-global-variables)

 private:
  struct sigaction former_ = {};
};

} // namespace loopgauge::core::testing_support
