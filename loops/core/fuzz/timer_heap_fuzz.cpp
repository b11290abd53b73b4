// The timer heap against a sorted model: any sequence of push, pop, remove and clear.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "loops/core/timer_heap.hpp"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Timer {
  std::size_t index = static_cast<std::size_t>(-1);
  std::int64_t deadline = 0;
  std::uint64_t sequence = 0;
};

struct Traits {
  static void set_index(Timer* timer, std::size_t index) noexcept { timer->index = index; }
};

using Heap = loopgauge::core::TimerHeap<Timer*, Traits>;
using Key = std::tuple<std::int64_t, std::uint64_t, Timer*>;

Key key_of(Timer& timer) {
  return {timer.deadline, timer.sequence, &timer};
}

} // namespace

// Two bytes a step: which timer and what, then the deadline.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::vector<Timer> timers(64);
  Heap heap;
  std::set<Key> model;
  std::uint64_t sequence = 0;

  const std::span input(bytes, size);
  for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
    Timer& timer = timers[input[i] % timers.size()];
    if (input[i] == 0xff) {
      std::size_t cleared = 0;
      heap.clear([&](Timer* out) {
        require(out->index == Heap::npos);
        ++cleared;
      });
      require(cleared == model.size());
      model.clear();
    } else if (timer.index == Heap::npos) {
      // Signed, and few values, so that ties are common.
      timer.deadline = static_cast<std::int8_t>(input[i + 1]) / 4;
      timer.sequence = sequence++;
      heap.push(timer.deadline, &timer);
      model.insert(key_of(timer));
    } else if (input[i] < 128) {
      require(heap.remove(timer.index) == &timer);
      require(timer.index == Heap::npos);
      require(model.erase(key_of(timer)) == 1);
    } else {
      Timer* expected = std::get<2>(*model.begin());
      require(heap.top_deadline() == expected->deadline);
      require(heap.top() == expected);
      require(heap.pop() == expected);
      require(expected->index == Heap::npos);
      model.erase(model.begin());
    }
    require(heap.size() == model.size());
  }
  for (const Key& key : model) {
    require(heap.pop() == std::get<2>(key));
  }
  require(heap.empty());
  return 0;
}
