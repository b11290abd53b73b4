// Waits for sockets, and for the word that ends the waiting: the control socket, which is readable
// when the next command is there or the starter is gone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

#include "loops/core/fd.hpp"

namespace loopgauge::bench {

class Waiter {
 public:
  // `control`: -1: none. Throws LoadError(unavailable).
  explicit Waiter(int control);

  void add(int fd, std::uint32_t events, std::size_t key);
  void change(int fd, std::uint32_t events, std::size_t key);

  // At most 1 024 events. Nothing after `timeout_ns`, or after a signal.
  // Throws LoadError(stopped) when the control socket is readable.
  std::span<const epoll_event> wait(std::int64_t timeout_ns);

 private:
  void control_readable() const;

  core::UniqueFd epoll_;
  std::array<epoll_event, 1024> events_{};
};

} // namespace loopgauge::bench
