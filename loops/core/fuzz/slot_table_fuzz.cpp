// Slot generations: of all keys ever given out, exactly those that are open now find their value.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <vector>

#include "loops/core/poller.hpp"
#include "loops/core/slot_table.hpp"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

using Table = loopgauge::core::SlotTable<int>;

struct Given {
  std::uint64_t key;
  int fd;
  int value;
};

void check(Table& table, const std::vector<Given>& given, const std::map<int, std::size_t>& open) {
  require(table.size() == open.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto found = open.find(given[i].fd);
    const bool alive = found != open.end() && found->second == i;
    const int* value = table.get(given[i].key);
    require((value != nullptr) == alive);
    require(!alive || *value == given[i].value);
    require(!alive || table.key_of(given[i].fd) == given[i].key);
  }
}

} // namespace

// One byte a step: a descriptor of 32, and whether to open it, close it, or ask for a made-up key.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Table table;
  std::vector<Given> given;        // every key ever handed out
  std::map<int, std::size_t> open; // descriptor -> its live entry in `given`

  for (const std::uint8_t byte : std::span(bytes, size)) {
    const int fd = byte % 32;
    if (byte < 128) {
      const int value = static_cast<int>(given.size());
      given.push_back({table.open(fd, value), fd, value});
      open[fd] = given.size() - 1;
    } else if (byte < 224) {
      require(table.close(fd) == (open.erase(fd) == 1));
    } else {
      require(table.get(Table::kNoKey) == nullptr);
      require(table.get(loopgauge::core::kWakeupKey) == nullptr);
      require(table.get(Table::pack(static_cast<std::uint32_t>(fd), 0xffff'fffe)) == nullptr);
    }
    if (given.size() <= 64) {
      check(table, given, open);
    }
  }
  check(table, given, open);
  return 0;
}
