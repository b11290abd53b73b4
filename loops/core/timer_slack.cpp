#include "timer_slack.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace loopgauge::core {
namespace {

TimerSlack ask() noexcept {
  const int policy = ::sched_getscheduler(0);
  const int slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  if (slack <= 0 || (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)) {
    return {0, 1};
  }
  return {slack, ::getpriority(PRIO_PROCESS, 0) > 0 ? 200 : 1000}; // of the thread, on Linux
}

} // namespace

const TimerSlack& TimerSlack::of_thread() noexcept {
  thread_local const TimerSlack slack = ask();
  return slack;
}

} // namespace loopgauge::core
