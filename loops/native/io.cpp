// Watching descriptors: add_reader() and its relatives, and what the selector object asks.

#include <climits>
#include <fcntl.h>
#include <new>
#include <vector>

#include "loops/native/loop.hpp"
#include "loops/native/transport.hpp"

namespace loopgauge::py {
namespace {

constexpr int kEventRead = 1; // selectors.EVENT_READ and EVENT_WRITE
constexpr int kEventWrite = 2;

// The table has a slot for every number up to the largest: before it grows this far, the kernel is
// asked whether there is such a descriptor.
constexpr int kTrustedNumber = 4096;

// Tells epoll what `watch` asks for now. Also when nothing seems to have changed: the number may
// have been closed and reused behind the loop's back.
core::Result<int> arm(LoopBase* loop, int fd, Watch& watch) {
  watch.one_shot = false;
  const std::uint32_t events = watch.events();
  if (events == 0) {
    if (std::exchange(watch.armed, false))
      (void)loop->core.unwatch(fd); // closed first by its owner: nothing to undo
    return {};
  }
  const std::uint64_t key = loop->watches.key_of(fd);
  const core::Result<int> done =
      watch.armed ? loop->core.rewatch(fd, events, key) : loop->core.watch(fd, events, key);
  watch.armed = watch.armed || done.ok();
  return done;
}

// The descriptor's watch, an empty one if there was none. Null with an exception.
Watch* open_watch(LoopBase* loop, int fd) {
  if (Watch* watch = loop->watches.at(fd))
    return watch;
  if (fd >= kTrustedNumber && ::fcntl(fd, F_GETFD) == -1)
    return raise_os_error(errno), nullptr;
  try {
    loop->watches.open(fd, Watch{});
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), nullptr;
  }
  return loop->watches.at(fd);
}

int change_mute(LoopBase* loop, int fd, Side side, bool muted) {
  Watch* watch = loop->watches.at(fd);
  if (!watch || muted == ((watch->muted & event_of(side)) != 0))
    return 0;
  watch->muted ^= event_of(side);
  const core::Result<int> done = arm(loop, fd, *watch);
  return done.ok() ? 0 : raise_os_error(done.error);
}

} // namespace

int set_handle(LoopBase* loop, int fd, Side side, Handle* handle) {
  Ref owned(as_object(handle));
  Watch* watch = open_watch(loop, fd);
  if (!watch)
    return -1;
  const Watch before = *watch;
  watch->handle(side) = handle;
  watch->muted &= ~event_of(side);
  const core::Result<int> done = arm(loop, fd, *watch);
  if (!done.ok()) {
    *watch = before;
    if (!before.reader && !before.writer)
      loop->watches.close(fd);
    return raise_os_error(done.error);
  }
  owned.release();
  Handle* old = Watch(before).handle(side);
  const Ref replaced(as_object(old));
  return old && !is_cancelled(old) ? cancel_handle(old) : 0;
}

int clear_handle(LoopBase* loop, int fd, Side side) {
  Watch* watch = loop->watches.at(fd);
  if (!watch || (loop->flags & kClosed))
    return 0;
  Handle* handle = std::exchange(watch->handle(side), nullptr);
  const Ref owned(as_object(handle));
  const bool was_heard = handle && !(watch->muted & event_of(side));
  watch->muted &= ~event_of(side);
  if (was_heard)
    (void)arm(loop, fd, *watch);
  if (!watch->reader && !watch->writer)
    loop->watches.close(fd);
  if (!handle)
    return 0;
  return is_cancelled(handle) || cancel_handle(handle) == 0 ? 1 : -1;
}

Handle* handle_at(LoopBase* loop, int fd, Side side) {
  Watch* watch = loop->watches.at(fd);
  return watch ? watch->handle(side) : nullptr;
}

int mute(LoopBase* loop, int fd, Side side) {
  return change_mute(loop, fd, side, true);
}

int unmute(LoopBase* loop, int fd, Side side) {
  return change_mute(loop, fd, side, false);
}

namespace {

// Raises as BaseSelectorEventLoop._ensure_fd_no_transport. CPython's own method knows of transports
// that are not native, if there are any.
int refuse_transport(LoopBase* loop, PyObject* fd) {
  if (loop->transport_map) {
    const Ref checked(call_stock(loop, loop->state->names.ensure_fd_no_transport, &fd, 1, nullptr));
    return checked ? 0 : -1;
  }
  if (loop->transports.empty())
    return 0;
  const int number = as_descriptor(fd);
  if (number < 0)
    return -1;
  Transport* transport = transport_of(loop, number);
  if (!transport)
    return 0;
  PyErr_Format(PyExc_RuntimeError, "File descriptor %R is used by transport %R", fd,
               as_object(transport));
  return -1;
}

// For transports, whose socket may be closed: then its own calls say so.
PyObject* ensure_fd_no_transport(PyObject* self, PyObject* fd) {
  if (refuse_transport(as_loop(self), fd) == 0)
    Py_RETURN_NONE;
  if (!PyErr_ExceptionMatches(PyExc_ValueError) || as_loop(self)->transport_map)
    return nullptr;
  PyErr_Clear();
  return call_stock(as_loop(self), as_loop(self)->state->names.ensure_fd_no_transport, &fd, 1,
                    nullptr);
}

// (fd, callback, *args, context=None) -> handle: context= is 3.15's, for transports.
PyObject* add(PyObject* self, const char* method, Side side, PyObject* const* args,
              Py_ssize_t nargs, PyObject* kwnames) {
  LoopBase* loop = as_loop(self);
  PyObject* context;
  if (nargs < 2 || !only_context(loop->state, args, nargs, kwnames, &context)) {
    PyErr_Format(PyExc_TypeError, "%s(fd, callback, *args)", method);
    return nullptr;
  }
  if (loop->flags & kForeignSelector) {
    const Ref name(PyUnicode_InternFromString(method));
    return name ? call_stock(loop, name.get(), args, nargs, kwnames) : nullptr;
  }
  if (check_closed(self) < 0)
    return nullptr;
  const int fd = as_descriptor(args[0]);
  if (fd < 0)
    return nullptr;
  Handle* handle = new_handle(loop->state, self, args[1], args + 2, nargs - 2, context);
  if (!handle)
    return nullptr;
  track(handle);
  Ref owned(as_object(handle));
  if (note_source(loop, handle) < 0)
    return nullptr;
  if (set_handle(loop, fd, side, reinterpret_cast<Handle*>(Py_NewRef(owned.get()))) < 0)
    return nullptr;
  return owned.release();
}

PyObject* remove(PyObject* self, const char* method, Side side, PyObject* fd_object) {
  LoopBase* loop = as_loop(self);
  if (loop->flags & kForeignSelector) {
    const Ref name(PyUnicode_InternFromString(method));
    return name ? call_stock(loop, name.get(), &fd_object, 1, nullptr) : nullptr;
  }
  const int fd = as_descriptor(fd_object);
  if (fd < 0)
    return nullptr;
  const int removed = clear_handle(loop, fd, side);
  return removed < 0 ? nullptr : PyBool_FromLong(removed);
}

// True when CPython's public methods must be used: an override of the inner ones counts. -1 with an
// exception.
int needs_stock(PyObject* self) {
  if (is_fast(self))
    return 0;
  if (refresh_overrides(as_loop(self)) < 0)
    return -1;
  return (as_loop(self)->flags & kCompatible) != 0;
}

PyObject* public_add(PyObject* self, const char* inner, Side side, PyObject* const* args,
                     Py_ssize_t nargs, PyObject* kwnames) {
  const int stock = nargs < 2 || kwnames ? 1 : needs_stock(self);
  if (stock < 0)
    return nullptr;
  if (stock) {
    const Ref name(PyUnicode_InternFromString(inner + 1));
    return name ? call_stock(as_loop(self), name.get(), args, nargs, kwnames) : nullptr;
  }
  if (refuse_transport(as_loop(self), args[0]) < 0)
    return nullptr;
  const Ref handle(add(self, inner, side, args, nargs, nullptr));
  if (!handle)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* public_remove(PyObject* self, const char* inner, Side side, PyObject* const* args,
                        Py_ssize_t nargs, PyObject* kwnames) {
  const int stock = nargs != 1 || kwnames ? 1 : needs_stock(self);
  if (stock < 0)
    return nullptr;
  if (stock) {
    const Ref name(PyUnicode_InternFromString(inner + 1));
    return name ? call_stock(as_loop(self), name.get(), args, nargs, kwnames) : nullptr;
  }
  if (refuse_transport(as_loop(self), args[0]) < 0)
    return nullptr;
  return remove(self, inner, side, args[0]);
}

PyObject* inner_add_reader(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                           PyObject* kwnames) {
  return add(self, "_add_reader", Side::reader, args, nargs, kwnames);
}
PyObject* inner_add_writer(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                           PyObject* kwnames) {
  return add(self, "_add_writer", Side::writer, args, nargs, kwnames);
}
PyObject* inner_remove_reader(PyObject* self, PyObject* fd) {
  return remove(self, "_remove_reader", Side::reader, fd);
}
PyObject* inner_remove_writer(PyObject* self, PyObject* fd) {
  return remove(self, "_remove_writer", Side::writer, fd);
}
PyObject* add_reader(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return public_add(self, "_add_reader", Side::reader, args, nargs, kwnames);
}
PyObject* add_writer(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return public_add(self, "_add_writer", Side::writer, args, nargs, kwnames);
}
PyObject* remove_reader(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                        PyObject* kwnames) {
  return public_remove(self, "_remove_reader", Side::reader, args, nargs, kwnames);
}
PyObject* remove_writer(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                        PyObject* kwnames) {
  return public_remove(self, "_remove_writer", Side::writer, args, nargs, kwnames);
}

// ---- what EpollSelector is made of --------------------------------------------------------------

PyObject* handle_or_none(Handle* handle) {
  return handle ? as_object(handle) : Py_None;
}

// _watch_get(fd) -> (events, reader or None, writer or None), or None.
PyObject* watch_get(PyObject* self, PyObject* fd_object) {
  const int fd = as_descriptor(fd_object);
  if (fd < 0)
    return nullptr;
  Watch* watch = as_loop(self)->watches.at(fd);
  if (!watch)
    Py_RETURN_NONE;
  const int events = (watch->listens(Side::reader) ? kEventRead : 0) |
                     (watch->listens(Side::writer) ? kEventWrite : 0);
  return events == 0 ? Py_NewRef(Py_None)
                     : Py_BuildValue("(iOO)", events, handle_or_none(watch->reader),
                                     handle_or_none(watch->writer));
}

PyObject* watch_list(PyObject* self, PyObject*) {
  Ref list(PyList_New(0));
  if (!list)
    return nullptr;
  bool failed = false;
  as_loop(self)->watches.for_each([&](int fd, Watch& watch) {
    if (watch.events() == 0)
      return;
    const Ref number(PyLong_FromLong(fd));
    failed = failed || !number || PyList_Append(list.get(), number.get()) < 0;
  });
  return failed ? nullptr : list.release();
}

int set_from_python(LoopBase* loop, int fd, Side side, PyObject* handle) {
  if (handle == Py_None)
    return clear_handle(loop, fd, side) < 0 ? -1 : 0;
  if (!is_native_handle(loop->state, handle)) {
    PyErr_SetString(PyExc_TypeError, "the loop's selector takes handles made by the loop");
    return -1;
  }
  return set_handle(loop, fd, side, reinterpret_cast<Handle*>(Py_NewRef(handle)));
}

// _watch_set(fd, reader or None, writer or None)
PyObject* watch_set(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 3) {
    PyErr_SetString(PyExc_TypeError, "_watch_set(fd, reader, writer)");
    return nullptr;
  }
  const int fd = as_descriptor(args[0]);
  if (fd < 0)
    return nullptr;
  LoopBase* loop = as_loop(self);
  // New handles first: a descriptor that keeps one side never leaves epoll in between.
  const bool writer_first = args[1] == Py_None;
  for (const bool writer : {writer_first, !writer_first}) {
    if (set_from_python(loop, fd, writer ? Side::writer : Side::reader, args[writer ? 2 : 1]) < 0)
      return nullptr;
  }
  Py_RETURN_NONE;
}

// The events of one wait as [(fd, selectors mask)].
PyObject* as_list(LoopBase* loop, const epoll_event* events, int count) {
  Ref list(PyList_New(0));
  if (!list)
    return nullptr;
  for (int i = 0; i < count; ++i) {
    Watch* watch =
        events[i].data.u64 == core::kWakeupKey ? nullptr : loop->watches.get(events[i].data.u64);
    if (!watch)
      continue;
    const std::uint32_t got = events[i].events;
    watch->fired = true;
    const int mask =
        ((got & ~event_of(Side::writer)) && watch->listens(Side::reader) ? kEventRead : 0) |
        ((got & ~event_of(Side::reader)) && watch->listens(Side::writer) ? kEventWrite : 0);
    const Ref pair(
        Py_BuildValue("(ii)", static_cast<int>(events[i].data.u64 & 0xffff'ffffU), mask));
    if (!pair || (mask && PyList_Append(list.get(), pair.get()) < 0))
      return nullptr;
  }
  return list.release();
}

// _wait(timeout in seconds or None) -> [(fd, mask)]: select() for CPython's scheduler.
PyObject* wait(PyObject* self, PyObject* timeout) {
  LoopBase* loop = as_loop(self);
  std::int64_t timeout_ns = -1;
  if (timeout != Py_None) {
    const double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
      return nullptr;
    timeout_ns = seconds > 0 ? core::seconds_to_ns(seconds) : 0;
  }
  const core::Result<int> opened = loop->core.open();
  if (!opened.ok())
    return raise_os_error(opened.error), nullptr;
  epoll_event events[256];
  loop->core.wakeup.prepare_sleep();
  PyThreadState* thread = PyEval_SaveThread();
  const core::Result<int> got = loop->core.poller.wait(events, timeout_ns);
  loop->core.wakeup.finish_sleep();
  PyEval_RestoreThread(thread);
  if (!got.ok() && got.error != EINTR)
    return raise_os_error(got.error), nullptr;
  return as_list(loop, events, got.ok() ? got.value : 0);
}

} // namespace

int as_descriptor(PyObject* object) {
  Ref number = Ref::borrow(object);
  if (!PyLong_Check(object)) {
    const Ref method(PyObject_GetAttrString(object, "fileno"));
    number = Ref(method ? PyObject_CallNoArgs(method.get()) : nullptr);
    if (!number || !PyLong_Check(number.get())) {
      if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError) &&
          !PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError)) {
        return -1;
      }
      PyErr_Format(PyExc_ValueError, "Invalid file object: %R", object);
      return -1;
    }
  }
  int overflow = 0;
  const long fd = PyLong_AsLongAndOverflow(number.get(), &overflow);
  if (overflow == 0 && fd >= 0 && fd <= INT_MAX)
    return static_cast<int>(fd);
  PyErr_Clear();
  if (overflow > 0 || fd > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
    return -1;
  }
  PyErr_Format(PyExc_ValueError, "Invalid file descriptor: %R", number.get());
  return -1;
}

void Host::io(std::uint64_t key, std::uint32_t events) {
  Watch* watch = loop_->watches.get(key);
  if (!watch)
    return;
  watch->fired = true;
  const int fd = static_cast<int>(key & 0xffff'ffffU);
  // As selectors does: errors and hang-ups wake both sides.
  for (const Side side : {Side::reader, Side::writer}) {
    const std::uint32_t others = event_of(side == Side::reader ? Side::writer : Side::reader);
    watch = loop_->watches.get(key);
    if (!watch || !(events & ~others) || !watch->listens(side))
      continue;
    Handle* handle = watch->handle(side);
    if (is_cancelled(handle)) {
      if (clear_handle(loop_, fd, side) < 0)
        PyErr_WriteUnraisable(as_object(loop_));
      continue;
    }
    Py_INCREF(as_object(handle));
    loop_->core.ready.push_back(handle);
  }
}

int refuse_transport_of(LoopBase* loop, int fd) {
  const Ref number(PyLong_FromLong(fd));
  return number ? refuse_transport(loop, number.get()) : -1;
}

void release_watches(LoopBase* loop) {
  std::vector<int> open;
  loop->watches.for_each([&](int fd, Watch&) { open.push_back(fd); });
  for (const int fd : open) {
    const Watch* found = loop->watches.at(fd);
    if (!found)
      continue; // taken out by a destructor below
    const Watch watch = *found;
    loop->watches.close(fd);
    Py_XDECREF(as_object(watch.reader));
    Py_XDECREF(as_object(watch.writer));
  }
}

PyMethodDef io_methods[] = {
    {"add_reader", as_method(add_reader), METH_FASTCALL | METH_KEYWORDS,
     "add_reader($self, fd, callback, *args)\n--\n\nCalls the callback whenever `fd` can be "
     "read."},
    {"remove_reader", as_method(remove_reader), METH_FASTCALL | METH_KEYWORDS,
     "remove_reader($self, fd)\n--\n\nStops watching `fd` for reading; True if it was watched."},
    {"add_writer", as_method(add_writer), METH_FASTCALL | METH_KEYWORDS,
     "add_writer($self, fd, callback, *args)\n--\n\nCalls the callback whenever `fd` can be "
     "written."},
    {"remove_writer", as_method(remove_writer), METH_FASTCALL | METH_KEYWORDS,
     "remove_writer($self, fd)\n--\n\nStops watching `fd` for writing; True if it was watched."},
    {"_add_reader", as_method(inner_add_reader), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"_add_writer", as_method(inner_add_writer), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"_remove_reader", inner_remove_reader, METH_O, nullptr},
    {"_remove_writer", inner_remove_writer, METH_O, nullptr},
    {"_ensure_fd_no_transport", ensure_fd_no_transport, METH_O, nullptr},
    {"_watch_get", watch_get, METH_O, nullptr},
    {"_watch_list", watch_list, METH_NOARGS, nullptr},
    {"_watch_set", as_method(watch_set), METH_FASTCALL, nullptr},
    {"_wait", wait, METH_O, nullptr},
    {},
};

} // namespace loopgauge::py
