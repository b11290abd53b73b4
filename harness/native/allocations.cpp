#include <Python.h>

#include "allocations.hpp"

#include <atomic>
#include <cstddef>

namespace loopgauge::bench {
namespace {

// One per domain, for the life of the process: a thread may be inside the hook when it is removed.
struct Hook {
  PyMemAllocatorEx original{};
  std::atomic<std::int64_t> allocations{0};
  std::atomic<std::int64_t> reallocations{0};
  std::atomic<std::int64_t> bytes{0};
};

// A large object is passed on to the raw domain: that is one allocation, not two.
thread_local bool inside = false;

class Counted {
 public:
  Counted(std::atomic<std::int64_t>& calls, Hook& hook, std::size_t size) noexcept
      : outermost_(!inside) {
    inside = true;
    if (outermost_) {
      calls.fetch_add(1, std::memory_order_relaxed);
      hook.bytes.fetch_add(static_cast<std::int64_t>(size), std::memory_order_relaxed);
    }
  }
  ~Counted() {
    if (outermost_)
      inside = false;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  bool outermost_;
};

constexpr std::array domains{PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
std::array<Hook, domains.size()> hooks;
bool hooked = false;

void* hook_malloc(void* context, std::size_t size) {
  auto& hook = *static_cast<Hook*>(context);
  const Counted counted(hook.allocations, hook, size);
  return hook.original.malloc(hook.original.ctx, size);
}

void* hook_calloc(void* context, std::size_t count, std::size_t size) {
  auto& hook = *static_cast<Hook*>(context);
  const Counted counted(hook.allocations, hook, count * size);
  return hook.original.calloc(hook.original.ctx, count, size);
}

void* hook_realloc(void* context, void* old, std::size_t size) {
  auto& hook = *static_cast<Hook*>(context);
  const Counted counted(old == nullptr ? hook.allocations : hook.reallocations, hook, size);
  return hook.original.realloc(hook.original.ctx, old, size);
}

void hook_free(void* context, void* memory) {
  auto& hook = *static_cast<Hook*>(context);
  hook.original.free(hook.original.ctx, memory);
}

} // namespace

bool start_counting_allocations() noexcept {
  if (hooked)
    return false;
  hooked = true;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    Hook& hook = hooks[i];
    hook.allocations = hook.reallocations = hook.bytes = 0;
    PyMem_GetAllocator(domains[i], &hook.original);
    PyMemAllocatorEx ours{&hook, hook_malloc, hook_calloc, hook_realloc, hook_free};
    PyMem_SetAllocator(domains[i], &ours);
  }
  return true;
}

AllDomains stop_counting_allocations() noexcept {
  AllDomains counts{};
  if (!hooked)
    return counts;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    Hook& hook = hooks[i];
    PyMem_SetAllocator(domains[i], &hook.original);
    counts[i] = {hook.allocations, hook.reallocations, hook.bytes};
  }
  hooked = false;
  return counts;
}

} // namespace loopgauge::bench
