// The processor's own counters, through perf_event_open(2), in user mode.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "loops/core/fd.hpp"

namespace loopgauge::bench {

// Counts the calling thread, and threads it starts later, from construction on.
class HardwareCounters {
 public:
  // Opens those the kernel offers: cycles, instructions, branch_misses, cache_misses, and
  // page_faults, which the kernel counts by itself. None is no error.
  HardwareCounters();

  // Name to count so far. One that had to share its register is scaled up by the kernel's own
  // figures; one that never got a register is left out.
  [[nodiscard]] std::map<std::string, double> read() const;

  // Why the first of the processor's is missing, in the kernel's words; empty where none is.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  struct Counter {
    std::string name;
    core::UniqueFd fd;
  };
  std::vector<Counter> counters_;
  std::string reason_;
};

} // namespace loopgauge::bench
