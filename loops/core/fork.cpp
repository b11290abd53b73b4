#include "fork.hpp"

#include <atomic>
#include <pthread.h>

namespace loopgauge::core {
namespace {

std::atomic<std::uint32_t> generation{0};

void count_fork() {
  generation.fetch_add(1, std::memory_order_relaxed);
}

} // namespace

std::uint32_t fork_generation() noexcept {
  // Registered by the first opening of a poller: what was never opened cannot be shared.
  static const int registered = ::pthread_atfork(nullptr, nullptr, &count_fork);
  (void)registered;
  return generation.load(std::memory_order_relaxed);
}

} // namespace loopgauge::core
