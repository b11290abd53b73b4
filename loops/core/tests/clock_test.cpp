#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <random>

#include "loops/core/clock.hpp"

namespace loopgauge::core {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(Clock, NeverGoesBack) {
  std::int64_t last = now_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t next = now_ns();
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST(Clock, SecondsAreRoundedUp) {
  EXPECT_EQ(seconds_to_ns(0.0), 0);
  EXPECT_EQ(seconds_to_ns(1.5), 1'500'000'000);
  EXPECT_EQ(seconds_to_ns(1e-10), 1);
  EXPECT_EQ(seconds_to_ns(-1e-10), 0);
  EXPECT_EQ(seconds_to_ns(-2.0), -2'000'000'000);
}

TEST(Clock, SecondsSaturate) {
  EXPECT_EQ(seconds_to_ns(kInf), kNever);
  EXPECT_EQ(seconds_to_ns(1e300), kNever);
  EXPECT_EQ(seconds_to_ns(9223372036.854775807), kNever);
  EXPECT_EQ(seconds_to_ns(-kInf), kMin);
  EXPECT_EQ(seconds_to_ns(-1e300), kMin);
}

TEST(Clock, NotANumberIsAlwaysDue) {
  EXPECT_EQ(seconds_to_ns(std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(Clock, ADeadlineIsNeverBeforeTheSecondsItCameFrom) {
  std::mt19937_64 random(7);                              // NOLINT(cert-msc*): repeatable
  for (const double scale : {1e-6, 1.0, 1e5, 1e7, 9e9}) { // the last two lie beyond 2^53 ns
    std::uniform_real_distribution<double> seconds(0.0, scale);
    for (int i = 0; i < 20'000; ++i) {
      const double asked = seconds(random);
      const std::int64_t deadline = seconds_to_ns(asked);
      ASSERT_GE(ns_to_seconds(deadline), asked) << asked;
      // Nor more than two nanoseconds, or two steps of a double, late.
      ASSERT_LE(static_cast<double>(deadline) - asked * 1e9, 2.0 + asked * 1e9 * 0x1p-51) << asked;
    }
  }
}

TEST(Clock, MillisecondsAreRoundedUpAndClamped) {
  EXPECT_EQ(ns_to_ms_rounded_up(0), 0);
  EXPECT_EQ(ns_to_ms_rounded_up(1), 1);
  EXPECT_EQ(ns_to_ms_rounded_up(1'000'000), 1);
  EXPECT_EQ(ns_to_ms_rounded_up(1'000'001), 2);
  EXPECT_EQ(ns_to_ms_rounded_up(kNever), std::numeric_limits<int>::max());
}

} // namespace
} // namespace loopgauge::core
