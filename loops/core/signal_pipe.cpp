#include "signal_pipe.hpp"

namespace loopgauge::core {

Result<int> SignalPipe::open() noexcept {
  if (is_open()) {
    return {};
  }
  const Result<std::array<int, 2>> ends = sys::pipe();
  if (!ends.ok()) {
    return Result<int>::failed(ends.error);
  }
  read_end_.reset(ends.value[0]);
  write_end_.reset(ends.value[1]);
  return {};
}

void SignalPipe::close() noexcept {
  write_end_.reset();
  read_end_.reset();
}

void send_signal_byte(int write_fd, std::uint8_t signum) noexcept {
  const int saved = errno;
  (void)sys::write(write_fd, &signum, 1);
  errno = saved;
}

} // namespace loopgauge::core
