// What one watched descriptor calls, and the ways to change it.
#pragma once

#include <cstdint>
#include <sys/epoll.h>

#include "loops/native/handle.hpp"

namespace loopgauge::py {

struct LoopBase;

enum class Side { reader, writer };

constexpr std::uint32_t event_of(Side side) {
  return side == Side::reader ? EPOLLIN : EPOLLOUT;
}

/// Strong references, null for "nothing".
struct Watch {
  Handle* reader = nullptr;
  Handle* writer = nullptr;
  std::uint32_t muted = 0; // EPOLLIN, EPOLLOUT: kept, but not asked for at the moment
  bool armed = false;      // known to epoll
  bool one_shot = false;   // for one event; see watch_once.hpp
  bool fired = false;      // an event came: with one_shot, the kernel has switched itself off

  Handle*& handle(Side side) { return side == Side::reader ? reader : writer; }
  bool listens(Side side) const {
    return (side == Side::reader ? reader : writer) && !(muted & event_of(side));
  }
  std::uint32_t events() const {
    return (listens(Side::reader) ? event_of(Side::reader) : 0U) |
           (listens(Side::writer) ? event_of(Side::writer) : 0U);
  }
};

/// Registers `handle` (stolen) for one side, in place of what was there, which is cancelled. -1
/// with OSError; then nothing changed.
int set_handle(LoopBase* loop, int fd, Side side, Handle* handle);

/// Takes one side's handle out, cancelled. 1: there was one, 0: not, -1: error.
int clear_handle(LoopBase* loop, int fd, Side side);

/// The handle of one side, muted or not, or null. Borrowed.
Handle* handle_at(LoopBase* loop, int fd, Side side);

/// Stops or resumes asking epoll for one side, whose handle stays. A descriptor with no side left
/// leaves epoll, which would otherwise go on reporting a hang-up. -1 with OSError.
int mute(LoopBase* loop, int fd, Side side);
int unmute(LoopBase* loop, int fd, Side side);

} // namespace loopgauge::py
