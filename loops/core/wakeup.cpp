#include "wakeup.hpp"

namespace loopgauge::core {

Result<int> Wakeup::open() noexcept {
  if (event_) {
    return {};
  }
  const Result<int> created = sys::eventfd();
  if (!created.ok()) {
    return created;
  }
  event_.reset(created.value);
  return {};
}

void Wakeup::write_event() const noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  // Fails only with EAGAIN at a counter of 2^64 - 2, which is out of reach.
  (void)sys::write(event_.get(), &one, sizeof one);
  errno = saved;
}

} // namespace loopgauge::core
