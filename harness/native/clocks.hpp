// The clocks of a slot. Reading a CPU clock is a real system call (171 ns for the thread's): once
// before and once after a slot, never per operation.
#pragma once

#include <cstdint>
#include <ctime>
#include <sys/resource.h>

namespace loopgauge::bench {

// Nanoseconds of one POSIX clock. The clock ids used here exist on every Linux, so there is no
// error.
inline std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

inline std::int64_t process_cpu_ns() noexcept {
  return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
inline std::int64_t thread_cpu_ns() noexcept {
  return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
inline std::int64_t monotonic_ns() noexcept {
  return clock_ns(CLOCK_MONOTONIC);
}

// Involuntary context switches of the whole process so far: helper threads count, as in the
// headline.
inline std::int64_t involuntary_switches() noexcept {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

} // namespace loopgauge::bench
