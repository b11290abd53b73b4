#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "loops/core/poller.hpp"
#include "loops/core/slot_table.hpp"

namespace loopgauge::core {
namespace {

using Table = SlotTable<int>;

TEST(SlotTable, AnOpenKeyFindsItsValue) {
  Table table;
  const std::uint64_t key = table.open(5, 50);
  ASSERT_NE(table.get(key), nullptr);
  EXPECT_EQ(*table.get(key), 50);
  EXPECT_EQ(table.at(5), table.get(key));
  EXPECT_EQ(table.key_of(5), key);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SlotTable, AClosedGenerationIsDead) {
  Table table;
  const std::uint64_t key = table.open(5, 50);
  EXPECT_TRUE(table.close(5));
  EXPECT_EQ(table.get(key), nullptr);
  EXPECT_EQ(table.at(5), nullptr);
  EXPECT_EQ(table.key_of(5), Table::kNoKey);
  EXPECT_EQ(table.size(), 0U);
}

TEST(SlotTable, AReusedNumberDoesNotAnswerToTheOldKey) {
  Table table;
  std::set<std::uint64_t> keys;
  for (int round = 0; round < 1000; ++round) {
    const std::uint64_t key = table.open(3, round);
    ASSERT_TRUE(keys.insert(key).second);
    for (const std::uint64_t old : keys) {
      ASSERT_EQ(table.get(old) != nullptr, old == key);
    }
    table.close(3);
  }
}

TEST(SlotTable, OpeningAnOpenSlotEndsItsGeneration) {
  Table table;
  const std::uint64_t first = table.open(2, 1);
  const std::uint64_t second = table.open(2, 2);
  EXPECT_EQ(table.get(first), nullptr);
  EXPECT_EQ(*table.get(second), 2);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SlotTable, ForeignKeysAndNumbersFindNothing) {
  Table table;
  table.open(0, 1);
  EXPECT_EQ(table.get(Table::kNoKey), nullptr);
  EXPECT_EQ(table.get(kWakeupKey), nullptr);
  EXPECT_EQ(table.get(kSignalKey), nullptr);
  EXPECT_EQ(table.get(Table::pack(1'000'000, 1)), nullptr);
  EXPECT_EQ(table.at(-1), nullptr);
  EXPECT_EQ(table.at(1'000'000), nullptr);
  EXPECT_FALSE(table.close(-1));
  EXPECT_FALSE(table.close(7));
}

TEST(SlotTable, ForEachSeesTheOpenSlots) {
  Table table;
  for (int fd = 0; fd < 10; ++fd) {
    table.open(fd, fd * 10);
  }
  table.close(4);
  std::map<int, int> seen;
  table.for_each([&seen](int fd, int value) { seen[fd] = value; });
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_EQ(seen.count(4), 0U);
  EXPECT_EQ(seen[9], 90);
}

} // namespace
} // namespace loopgauge::core
