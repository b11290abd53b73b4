#include <gtest/gtest.h>

#include "harness/native/load/stamps.hpp"

namespace loopgauge::bench {
namespace {

TEST(Stamps, ComeBackInOrderThroughEveryGrowth) {
  Stamps stamps;
  std::int64_t pushed = 0;
  std::int64_t popped = 0;
  for (int round = 1; round < 40; ++round) {
    for (int i = 0; i < round; ++i, ++pushed)
      stamps.push({pushed, -pushed});
    for (int i = 0; i < round / 2; ++i, ++popped) {
      const Stamp stamp = stamps.pop();
      ASSERT_EQ(stamp.due, popped);
      ASSERT_EQ(stamp.sent, -popped);
    }
  }
}

} // namespace
} // namespace loopgauge::bench
