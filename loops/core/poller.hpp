// The epoll instance.
#pragma once

#include <cstdint>
#include <span>
#include <sys/epoll.h>

#include "fd.hpp"
#include "syscall.hpp"

namespace loopgauge::core {

/// Keys that no descriptor has: SlotTable never makes them, because a descriptor is below 2^31.
inline constexpr std::uint64_t kWakeupKey = ~std::uint64_t{0};
inline constexpr std::uint64_t kSignalKey = kWakeupKey - 1;

/// Owns one epoll descriptor. Not open until open() is called. One thread at a time, but wait() may
/// run while another thread that holds the owner's lock calls add(), modify() or remove().
///
/// Where the kernel is surprising:
/// - epoll registers the *open file*, not the number. Closing a descriptor takes it out only when
///   no duplicate (dup, a forked child, SCM_RIGHTS) lives on; otherwise its events keep coming and
///   cannot be switched off any more. So: remove() before close().
/// - After fork() parent and child share one interest set: a child that "cleans up" unregisters the
///   parent's sockets. So in a forked child (see fork.hpp) remove() succeeds without doing
///   anything, add(), modify() and wait() fail with EBADF, and close() closes only the child's
///   descriptor.
class Poller {
 public:
  /// The call tried for waits below a millisecond's precision; tests pass one that fails.
  using PreciseWait = Result<int> (*)(int, std::span<epoll_event>, std::int64_t) noexcept;

  explicit Poller(PreciseWait precise_wait = &sys::epoll_pwait2) noexcept
      : precise_wait_(precise_wait) {}

  /// Idempotent. Errors: EMFILE, ENFILE, ENOMEM.
  Result<int> open() noexcept;
  void close() noexcept { epoll_.reset(); }
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(epoll_); }
  [[nodiscard]] int fd() const noexcept { return epoll_.get(); }
  /// True in a child forked after open().
  [[nodiscard]] bool is_foreign() const noexcept;

  /// Errors as of epoll_ctl(2): EEXIST, ENOENT, EPERM (a regular file), EBADF, ENOSPC, ENOMEM.
  Result<int> add(int fd, std::uint32_t events, std::uint64_t key) noexcept;
  Result<int> modify(int fd, std::uint32_t events, std::uint64_t key) noexcept;
  Result<int> remove(int fd) noexcept;

  /// Number of events written to `events`. `timeout_ns`: -1 waits without end, 0 only looks; it
  /// never returns before the timeout without an event, except with EINTR and after INT_MAX
  /// milliseconds on kernels without epoll_pwait2.
  Result<int> wait(std::span<epoll_event> events, std::int64_t timeout_ns) noexcept;

 private:
  Result<int> wait_punctually(std::span<epoll_event> events, std::int64_t timeout_ns) noexcept;
  Result<int> control(int operation, int fd, std::uint32_t events, std::uint64_t key) noexcept;

  UniqueFd epoll_;
  PreciseWait precise_wait_;
  std::uint32_t opened_in_ = 0;
};

} // namespace loopgauge::core
