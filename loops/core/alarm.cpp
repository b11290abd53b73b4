#include "alarm.hpp"

namespace loopgauge::core {

bool Alarm::set(Poller& poller, std::int64_t deadline) noexcept {
  if (poller.is_foreign() || !open(poller)) {
    return false;
  }
  if (set_for_ != 0 && set_for_ <= deadline) {
    return true;
  }
  if (!sys::timerfd_set(timer_.get(), deadline).ok()) {
    return false;
  }
  set_for_ = deadline;
  return true;
}

void Alarm::close() noexcept {
  timer_.reset();
  set_for_ = 0;
  refused_ = false;
}

bool Alarm::open(Poller& poller) noexcept {
  if (timer_) {
    return true;
  }
  if (refused_) {
    return false;
  }
  const Result<int> created = create_();
  if (created.ok()) {
    timer_.reset(created.value);
    if (poller.add(timer_.get(), EPOLLIN | EPOLLET, kAlarmKey).ok()) {
      return true;
    }
    timer_.reset();
  }
  refused_ = true;
  return false;
}

} // namespace loopgauge::core
