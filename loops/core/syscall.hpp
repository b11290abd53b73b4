// The system calls of the core, each returning a value or an errno: no exceptions, no global errno.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <span>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

namespace loopgauge::core {

/// A value, or the errno that came instead of it (0: none).
template <class T>
struct [[nodiscard]] Result {
  T value{};
  int error = 0;

  [[nodiscard]] bool ok() const noexcept { return error == 0; }
  static Result failed(int error) noexcept { return Result{T{}, error}; }
};

namespace sys {

template <class T>
Result<T> checked(T returned) noexcept {
  return returned < 0 ? Result<T>::failed(errno) : Result<T>{returned, 0};
}

inline Result<int> epoll_create() noexcept {
  return checked(::epoll_create1(EPOLL_CLOEXEC));
}

inline Result<int> epoll_ctl(int epoll_fd, int operation, int fd, std::uint32_t events,
                             std::uint64_t key) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return checked(::epoll_ctl(epoll_fd, operation, fd, &event));
}

/// `timeout_ms`: -1 waits without end, 0 only looks.
inline Result<int> epoll_wait(int epoll_fd, std::span<epoll_event> events,
                              int timeout_ms) noexcept {
  return checked(
      ::epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), timeout_ms));
}

/// epoll_wait with a timeout in nanoseconds (at least 0). ENOSYS before Linux 5.11; EPERM under the
/// seccomp filters of old container runtimes, which do not know the call.
inline Result<int> epoll_pwait2(int epoll_fd, std::span<epoll_event> events,
                                std::int64_t timeout_ns) noexcept {
#ifdef SYS_epoll_pwait2
  // The raw call: glibc has a wrapper only since 2.35, and wheels are built on older ones.
  // The kernel's struct is 64 bit wide everywhere, unlike the libc's on 32-bit machines.
  struct {
    std::int64_t seconds;
    std::int64_t nanoseconds;
  } timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const long count = ::syscall(SYS_epoll_pwait2, epoll_fd, events.data(),
                               static_cast<int>(events.size()), &timeout, nullptr, std::size_t{0});
  return checked(static_cast<int>(count));
#else
  (void)epoll_fd, (void)events, (void)timeout_ns;
  return Result<int>::failed(ENOSYS);
#endif
}

inline Result<int> eventfd() noexcept {
  return checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/// Two connected non-blocking stream sockets.
inline Result<std::array<int, 2>> socketpair() noexcept {
  std::array<int, 2> pair{-1, -1};
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (::socketpair(AF_UNIX, type, 0, pair.data()) < 0) {
    return Result<std::array<int, 2>>::failed(errno);
  }
  return {pair, 0};
}

/// Both ends non-blocking: {to read from, to write to}.
inline Result<std::array<int, 2>> pipe() noexcept {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) < 0) {
    return Result<std::array<int, 2>>::failed(errno);
  }
  return {ends, 0};
}

inline Result<ssize_t> read(int fd, void* buffer, std::size_t size) noexcept {
  return checked(::read(fd, buffer, size));
}

inline Result<ssize_t> write(int fd, const void* data, std::size_t size) noexcept {
  return checked(::write(fd, data, size));
}

} // namespace sys
} // namespace loopgauge::core
