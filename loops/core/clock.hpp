// The loop's clock, and the conversions between seconds (Python) and nanoseconds (here).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <time.h>

namespace loopgauge::core {

/// A deadline that never comes.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// CLOCK_MONOTONIC in nanoseconds: the clock of time.monotonic() and of epoll's timeouts.
/// About 20 ns through the vDSO.
inline std::int64_t now_ns() noexcept {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// The same formula as CPython's time.monotonic(), so that both agree to the last bit.
inline double ns_to_seconds(std::int64_t ns) noexcept {
  return static_cast<double>(ns) / 1e9;
}

/// The first nanosecond that is not before `seconds`: for every finite result
/// `ns_to_seconds(result) >= seconds`, so that a timer is never early by the user's own clock.
/// Saturates: +inf and anything beyond 292 years is kNever. NaN is 0, which is always due.
inline std::int64_t seconds_to_ns(double seconds) noexcept {
  const double exact = std::ceil(seconds * 1e9);
  if (std::isnan(exact)) {
    return 0;
  }
  if (exact >= 0x1p63) {
    return kNever;
  }
  if (exact < -0x1p63) {
    return std::numeric_limits<std::int64_t>::min();
  }
  auto ns = static_cast<std::int64_t>(exact);
  // The product was rounded, perhaps down. Above 2^53 ns (104 days) one step of a double is more
  // than one nanosecond.
  const std::int64_t step = ns < (std::int64_t{1} << 53) ? 1 : ns >> 52;
  while (ns_to_seconds(ns) < seconds) {
    if (ns > kNever - step) {
      return kNever;
    }
    ns += step;
  }
  return ns;
}

/// Milliseconds for epoll_wait, rounded up (down would spin and fire early), at most INT_MAX: a
/// longer wait ends without events and is simply begun again.
inline int ns_to_ms_rounded_up(std::int64_t ns) noexcept {
  const std::int64_t ms = ns / 1'000'000 + (ns % 1'000'000 > 0 ? 1 : 0);
  return ms > std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                              : static_cast<int>(ms);
}

} // namespace loopgauge::core
