// A CPU burner with a known price, for studies that inject a slow-down and see whether it is found.
// A chain of dependent multiplications touches no memory, so its cost is the same in every process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "clocks.hpp"

namespace loopgauge::bench {

// The burner overlaps with nothing before or after it. Without this, out-of-order execution hides a
// chain of fifty multiplications in the code around it: a slow-down of 3 % measured as 0.
inline void finish_before_going_on() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  asm volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

inline void spin(std::uint64_t iterations) noexcept {
  std::uint64_t x = 1;
  finish_before_going_on();
  for (std::uint64_t i = 0; i < iterations; ++i) {
    x = x * 6364136223846793005U + 1442695040888963407U;
    asm volatile("" : "+r"(x)); // keeps every step: the compiler may not fold the chain
  }
  finish_before_going_on();
}

// CPU nanoseconds of one iteration on this machine now: the smallest of a few short runs (about 1
// ms in all).
inline double spin_cost_ns() noexcept {
  constexpr int runs = 5;
  constexpr std::uint64_t iterations = 100'000;
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    const std::int64_t start = thread_cpu_ns();
    spin(iterations);
    const auto cost = static_cast<double>(thread_cpu_ns() - start);
    best = std::min(best, cost / static_cast<double>(iterations));
  }
  return best;
}

} // namespace loopgauge::bench
