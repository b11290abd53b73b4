#include <cstdint>
#include <gtest/gtest.h>

#include "loops/core/fork.hpp"
#include "loops/core/tests/support.hpp"

namespace loopgauge::core {
namespace {

TEST(ForkGeneration, ChangesInTheChildOnly) {
  const std::uint32_t before = fork_generation();
  EXPECT_TRUE(testing_support::true_in_child([before] {
    const std::uint32_t child = fork_generation();
    return child != before && testing_support::true_in_child([child, before] {
             return fork_generation() != child && fork_generation() != before;
           });
  }));
  EXPECT_EQ(fork_generation(), before);
}

} // namespace
} // namespace loopgauge::core
