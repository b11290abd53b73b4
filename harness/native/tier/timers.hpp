// Works of the timer family.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tier/backend.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

/// A timer is armed and cancelled while `pending` others are armed. As timer.schedule_cancel; here
/// the timer is made once, as C++ programs keep one in each connection.
std::unique_ptr<Work> schedule_cancel(NativeLoop& loop, std::size_t pending);

/// How late one timer after the other fires, in microseconds; `figure` is "median", "p99" or
/// "worst" of a run. With `busy` a task queues itself all the time. As timer.lateness.
std::unique_ptr<Work> lateness(NativeLoop& loop, std::int64_t delay_ns, bool busy,
                               const std::string& figure);

/// The same with no loop: epoll_pwait2 on an empty set, or clock_nanosleep where the kernel has
/// none.
std::unique_ptr<Work> lateness_floor(std::int64_t delay_ns, const std::string& figure);

/// CPU nanoseconds per timer of one stage of `count` timers: "init", "fire", "cleanup". As
/// timer.million_timers.
std::unique_ptr<Work> million_timers(NativeLoop& loop, const std::string& phase, std::size_t count);

} // namespace loopgauge::bench
