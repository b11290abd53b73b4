#include "hardware.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace loopgauge::bench {
namespace {

struct Kind {
  const char* name;
  std::uint32_t type;
  std::uint64_t config;
};

constexpr std::array kinds{
    Kind{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    Kind{"hardware_instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    Kind{"branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    Kind{"cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    Kind{"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
};

int open_counter(const Kind& kind) noexcept {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = kind.type;
  attributes.config = kind.config;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  // perf_event_paranoid 2, the usual value, lets users count in user mode only.
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.inherit = 1;
  attributes.inherit_thread = 1; // threads, not child processes
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

} // namespace

HardwareCounters::HardwareCounters() {
  for (const Kind& kind : kinds) {
    core::UniqueFd fd(open_counter(kind));
    if (fd)
      counters_.push_back({kind.name, std::move(fd)});
    else if (kind.type == PERF_TYPE_HARDWARE && reason_.empty())
      reason_ = std::strerror(errno);
  }
}

std::map<std::string, double> HardwareCounters::read() const {
  std::map<std::string, double> counts;
  for (const Counter& counter : counters_) {
    struct {
      std::uint64_t value, enabled, running;
    } answer{};
    if (::read(counter.fd.get(), &answer, sizeof(answer)) != sizeof(answer) || !answer.running)
      continue;
    const auto share = static_cast<double>(answer.enabled) / static_cast<double>(answer.running);
    counts[counter.name] = static_cast<double>(answer.value) * share;
  }
  return counts;
}

} // namespace loopgauge::bench
