// Signal numbers on their way from a handler to the loop.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fd.hpp"
#include "syscall.hpp"

namespace loopgauge::core {

/// A non-blocking, close-on-exec pipe that carries one byte per signal.
/// Not an eventfd, because signal.set_wakeup_fd() writes single bytes, which an eventfd refuses,
/// and because the number of the signal must arrive. Not a pair of sockets, as asyncio has it for
/// the sake of Windows: a byte costs more there, and 278 fill it, where a pipe holds 65 536.
/// Register read_fd() with kSignalKey: through Loop::watch() it is polled like any descriptor of
/// the user, through Poller::add() it only ends a blocking wait.
class SignalPipe {
 public:
  /// Idempotent. Errors: EMFILE, ENFILE, ENOMEM.
  Result<int> open() noexcept;
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(read_end_); }
  [[nodiscard]] int read_fd() const noexcept { return read_end_.get(); }
  [[nodiscard]] int write_fd() const noexcept { return write_end_.get(); }

  /// Calls `f(std::uint8_t)` for every byte that has arrived; asyncio's own wake-ups arrive as 0.
  template <class F>
  void drain(F&& f) {
    std::array<std::uint8_t, 256> bytes; // NOLINT(*-member-init): written by read
    for (;;) {
      const Result<ssize_t> got = sys::read(read_end_.get(), bytes.data(), bytes.size());
      if (got.error == EINTR) {
        continue;
      }
      if (!got.ok() || got.value == 0) {
        return;
      }
      for (const std::uint8_t signum :
           std::span(bytes).first(static_cast<std::size_t>(got.value))) {
        f(signum);
      }
      if (static_cast<std::size_t>(got.value) < bytes.size()) {
        return; // it was empty; what comes now is reported again
      }
    }
  }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

/// What a handler does with the write end: async-signal-safe, keeps errno. A full pipe drops the
/// byte, as signals of one number merge anyway.
void send_signal_byte(int write_fd, std::uint8_t signum) noexcept;

} // namespace loopgauge::core
