#include <gtest/gtest.h>

#include "harness/native/spin.hpp"

namespace loopgauge::bench {
namespace {

TEST(Spin, CostsWhatWasMeasured) {
  const double cost = spin_cost_ns();
  EXPECT_GT(cost, 0.0);
  EXPECT_LT(cost, 1000.0);
}

TEST(Spin, IsNotOptimisedAway) {
  // A hundred times the work takes longer, whatever else the machine does.
  const auto burnt = [](std::uint64_t iterations) {
    const std::int64_t start = thread_cpu_ns();
    spin(iterations);
    return thread_cpu_ns() - start;
  };
  EXPECT_GT(burnt(10'000'000), burnt(100'000));
}

TEST(Clocks, NeverRunBackwards) {
  for (std::int64_t (*clock)() noexcept : {monotonic_ns, thread_cpu_ns, process_cpu_ns}) {
    const std::int64_t first = clock();
    EXPECT_GE(clock(), first);
    EXPECT_GT(first, 0);
  }
}

} // namespace
} // namespace loopgauge::bench
