// Counts the calls of Python's allocators, by domain.
#pragma once

#include <array>
#include <cstdint>

namespace loopgauge::bench {

// Of one domain; a realloc of nothing counts as an allocation, any other as a reallocation.
struct AllocationCounts {
  std::int64_t allocations = 0;
  std::int64_t reallocations = 0;
  std::int64_t bytes = 0; // asked for, by both
};

// raw, mem, object: PyMemAllocatorDomain's order.
using AllDomains = std::array<AllocationCounts, 3>;

// Hooks themselves between Python and its allocators until stop(). Needs the GIL; the raw domain
// is also used without it, so its counts are atomic. False if they are hooked in already.
bool start_counting_allocations() noexcept;
// What was counted since the start; zero where it never started.
AllDomains stop_counting_allocations() noexcept;

} // namespace loopgauge::bench
