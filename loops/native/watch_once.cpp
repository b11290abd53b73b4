#include "loops/native/watch_once.hpp"

#include <new>

namespace loopgauge::py {
namespace {

std::uint32_t once(Side side) {
  return event_of(side) | EPOLLONESHOT;
}

// The watch of `fd` if `callback` still waits on that side.
Watch* find(LoopBase* loop, int fd, Side side, PyObject* callback) {
  Watch* watch = loop->flags & kClosed ? nullptr : loop->watches.at(fd);
  Handle* handle = watch ? watch->handle(side) : nullptr;
  return handle && handle->callback == callback ? watch : nullptr;
}

} // namespace

int watch_once(LoopBase* loop, int fd, Side side, PyObject* callback) {
  Handle* handle = new_handle(loop->state, as_object(loop), callback, nullptr, 0, nullptr);
  if (!handle)
    return -1;
  track(handle);
  if (loop->watches.at(fd))
    return set_handle(loop, fd, side, handle);
  Ref owned(as_object(handle));
  std::uint64_t key;
  try {
    key = loop->watches.open(fd, Watch{});
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
  }
  const core::Result<int> armed = loop->core.watch_once(fd, once(side), key);
  if (!armed.ok()) {
    loop->watches.close(fd);
    return raise_os_error(armed.error);
  }
  Watch& watch = *loop->watches.at(fd);
  watch.armed = watch.one_shot = true;
  watch.handle(side) = handle;
  owned.release();
  return 0;
}

int watch_again(LoopBase* loop, int fd, Side side, PyObject* callback) {
  Watch* watch = find(loop, fd, side, callback);
  if (!watch || !watch->one_shot)
    return 0;
  watch->fired = false;
  const core::Result<int> armed = loop->core.rewatch(fd, once(side), loop->watches.key_of(fd));
  return armed.ok() ? 0 : raise_os_error(armed.error);
}

void unwatch_once(LoopBase* loop, int fd, Side side, PyObject* callback) {
  Watch* watch = find(loop, fd, side, callback);
  if (!watch)
    return;
  if (!watch->one_shot || !watch->fired) {
    if (clear_handle(loop, fd, side) < 0)
      PyErr_WriteUnraisable(as_object(loop));
    return;
  }
  const Ref handle(as_object(std::exchange(watch->handle(side), nullptr)));
  loop->watches.close(fd);
  loop->core.forget_used_up();
  if (cancel_handle(as_handle(handle.get())) < 0)
    PyErr_WriteUnraisable(as_object(loop));
}

} // namespace loopgauge::py
