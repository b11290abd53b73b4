// Watching a descriptor for one event.
//
// An operation that waits once would cost two epoll_ctl() calls, to register and to unregister.
// With EPOLLONESHOT the kernel switches the registration off when the event is fetched and keeps
// it, so the next operation on the same socket only switches it on again: one call. The kernel says
// itself whether there is one (ENOENT), so nothing is remembered of a descriptor that was closed,
// and a registration that is off reports nothing, not even a hang-up.
//
// One-shot only while one side alone is watched: as soon as somebody watches the other side too,
// the registration becomes an ordinary one.
#pragma once

#include "loops/native/loop.hpp"

namespace loopgauge::py {

/// Calls `callback()` when `fd` is ready; what watched that side before is cancelled, as by
/// add_reader(). The callback must end with unwatch_once() or watch_again(). -1 with OSError.
int watch_once(LoopBase* loop, int fd, Side side, PyObject* callback);

/// Waits for another event. -1 with OSError.
int watch_again(LoopBase* loop, int fd, Side side, PyObject* callback);

/// Ends the watching, if it is still `callback` that watches that side. Never fails; must not be
/// called with an exception set.
void unwatch_once(LoopBase* loop, int fd, Side side, PyObject* callback);

} // namespace loopgauge::py
