// call_soon() and its relatives.

#include <new>

#include "loops/core/clock.hpp"
#include "loops/native/loop.hpp"

namespace loopgauge::py {

int check_closed(PyObject* self) {
  if (!(as_loop(self)->flags & kClosed))
    return 0;
  PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
  return -1;
}

bool only_context(ModuleState* state, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                  PyObject** context) {
  *context = nullptr;
  if (!kwnames)
    return true;
  if (kwnames != state->context_kwnames) {
    const Py_ssize_t count = PyTuple_GET_SIZE(kwnames);
    if (count != 1)
      return count == 0;
    if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, 0), state->names.context) != 0)
      return false;
    Py_XSETREF(state->context_kwnames, Py_NewRef(kwnames));
  }
  if (args[nargs] != Py_None)
    *context = args[nargs];
  return true;
}

namespace {

// Unusual calls (`callback=` by name, too few arguments, a wrong keyword): CPython's method of this
// name accepts or refuses them, and ends in the private methods below.
PyObject* call_stock_named(PyObject* self, const char* method, PyObject* const* args,
                           Py_ssize_t nargs, PyObject* kwnames) {
  const Ref name(PyUnicode_InternFromString(method));
  return name ? call_stock(as_loop(self), name.get(), args, nargs, kwnames) : nullptr;
}

// What debug mode checks before a callback is scheduled, by the running version's own methods.
int check_in_debug(LoopBase* loop, const char* method, PyObject* callback, bool any_thread) {
  const Names& names = loop->state->names;
  if (!any_thread) {
    const Ref thread(PyObject_CallMethodNoArgs(as_object(loop), names.check_thread));
    if (!thread)
      return -1;
  }
  const Ref name(PyUnicode_FromString(method));
  if (!name)
    return -1;
  const Ref checked(PyObject_CallMethodObjArgs(as_object(loop), names.check_callback, callback,
                                               name.get(), nullptr));
  return checked ? 0 : -1;
}

// Queues the handle wherever handles are queued now, and returns it.
PyObject* enqueue(LoopBase* loop, Ref handle) {
  if (loop->flags & kCompatible) {
    track(reinterpret_cast<Handle*>(handle.get()));
    const Ref done(
        PyObject_CallMethodOneArg(loop->py_ready, loop->state->names.append, handle.get()));
    return done ? handle.release() : nullptr;
  }
  loop->core.ready.push_back(reinterpret_cast<Handle*>(handle.get()));
  return Py_NewRef(handle.release());
}

// CPython's scheduler, or about to find out that it must take over.
PyObject* call_soon_slow(LoopBase* loop, const char* method, PyObject* const* args,
                         Py_ssize_t nargs, PyObject* context, bool any_thread) {
  if (check_closed(as_object(loop)) < 0 || refresh_overrides(loop) < 0)
    return nullptr;
  if ((loop->flags & kDebug) && check_in_debug(loop, method, args[0], any_thread) < 0)
    return nullptr;
  ModuleState* state = loop->state;
  // CPython's methods go through it; call_soon_threadsafe() no longer does from 3.14 on.
  const bool has_inner = !any_thread || !state->thread_safe_handle_type;
  if (has_inner && inner_is_overridden(loop)) {
    const Ref rest(PyTuple_New(nargs - 1));
    if (!rest)
      return nullptr;
    for (Py_ssize_t i = 1; i < nargs; ++i)
      PyTuple_SET_ITEM(rest.get(), i - 1, Py_NewRef(args[i]));
    return PyObject_CallMethodObjArgs(as_object(loop), state->names.call_soon_inner, args[0],
                                      rest.get(), context ? context : Py_None, nullptr);
  }
  Handle* handle = (any_thread ? new_thread_safe_handle : new_handle)(
      state, as_object(loop), args[0], args + 1, nargs - 1, context);
  if (!handle)
    return nullptr;
  Ref owned(as_object(handle));
  if (note_source(loop, handle) < 0)
    return nullptr;
  return enqueue(loop, std::move(owned));
}

template <bool any_thread>
PyObject* schedule_soon(PyObject* self, const char* method, PyObject* const* args, Py_ssize_t nargs,
                        PyObject* kwnames) {
  LoopBase* loop = as_loop(self);
  PyObject* context;
  if (nargs < 1 || !only_context(loop->state, args, nargs, kwnames, &context)) [[unlikely]] {
    return call_stock_named(self, method, args, nargs, kwnames);
  }
  if (!is_fast(self)) [[unlikely]]
    return call_soon_slow(loop, method, args, nargs, context, any_thread);
  Handle* handle = (any_thread ? new_thread_safe_handle : new_handle)(loop->state, self, args[0],
                                                                      args + 1, nargs - 1, context);
  if (!handle)
    return nullptr;
  try {
    loop->core.ready.push_back(handle);
  } catch (const std::bad_alloc&) {
    drop_handle(loop->state, handle);
    return PyErr_NoMemory();
  }
  return Py_NewRef(as_object(handle));
}

PyObject* call_soon(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return schedule_soon<false>(self, "call_soon", args, nargs, kwnames);
}

PyObject* call_soon_threadsafe(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                               PyObject* kwnames) {
  // The GIL orders this against the loop; the wake-up writes only when the loop sleeps.
  PyObject* handle = schedule_soon<true>(self, "call_soon_threadsafe", args, nargs, kwnames);
  if (!handle)
    return nullptr;
  if (!(as_loop(self)->flags & kCompatible)) [[likely]] {
    as_loop(self)->core.wakeup.notify();
    return handle;
  }
  Ref owned(handle);
  const Ref woken(PyObject_CallMethodNoArgs(self, as_loop(self)->state->names.write_to_self));
  return woken ? owned.release() : nullptr;
}

// CPython's inner form, `_call_soon(callback, args, context)`: subclasses override and call it.
PyObject* call_soon_inner(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 3 || !PyTuple_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "_call_soon(callback, args: tuple, context)");
    return nullptr;
  }
  LoopBase* loop = as_loop(self);
  PyObject* rest = args[1];
  Handle* handle = new_handle(loop->state, self, args[0], &PyTuple_GET_ITEM(rest, 0),
                              PyTuple_GET_SIZE(rest), args[2] == Py_None ? nullptr : args[2]);
  if (!handle)
    return nullptr;
  Ref owned(as_object(handle));
  if (note_source(loop, handle) < 0)
    return nullptr;
  return enqueue(loop, std::move(owned));
}

// Any number: floats and ints at once, everything else through __float__ (Decimal, Fraction,
// numpy).
int as_seconds(PyObject* when, double* seconds) {
  *seconds = PyFloat_CheckExact(when) ? PyFloat_AS_DOUBLE(when) : PyFloat_AsDouble(when);
  if (*seconds == -1.0 && PyErr_Occurred())
    return -1;
  if (*seconds != *seconds) {
    // CPython accepts a NaN here and some versions leave run_forever() with an error because of it.
    PyErr_SetString(PyExc_ValueError, "deadline must not be NaN");
    return -1;
  }
  return 0;
}

PyObject* push_timer(LoopBase* loop, double seconds, PyObject* when, PyObject* const* args,
                     Py_ssize_t nargs, PyObject* context) {
  Handle* handle = new_timer_handle(loop->state, as_object(loop), seconds, when, args[0], args + 1,
                                    nargs - 1, context);
  if (!handle)
    return nullptr;
  try {
    loop->core.timers.push(core::seconds_to_ns(seconds), handle);
  } catch (const std::bad_alloc&) {
    drop_handle(loop->state, handle);
    return PyErr_NoMemory();
  }
  return Py_NewRef(as_object(handle));
}

PyObject* call_at_slow(LoopBase* loop, PyObject* when, PyObject* const* args, Py_ssize_t nargs,
                       PyObject* context) {
  if (check_closed(as_object(loop)) < 0 || refresh_overrides(loop) < 0)
    return nullptr;
  if ((loop->flags & kDebug) && check_in_debug(loop, "call_at", args[0], false) < 0)
    return nullptr;
  double seconds;
  if (as_seconds(when, &seconds) < 0)
    return nullptr;
  if (!(loop->flags & kCompatible))
    return push_timer(loop, seconds, when, args, nargs, context);
  ModuleState* state = loop->state;
  Handle* handle = new_timer_handle(state, as_object(loop), seconds, when, args[0], args + 1,
                                    nargs - 1, context);
  if (!handle)
    return nullptr;
  Ref owned(as_object(handle));
  if (note_source(loop, handle) < 0)
    return nullptr;
  const Ref done(
      PyObject_CallFunctionObjArgs(state->heappush, loop->py_scheduled, owned.get(), nullptr));
  if (!done)
    return nullptr;
  Py_XSETREF(handle->scheduled, Py_NewRef(Py_True));
  return owned.release();
}

PyObject* call_at(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  LoopBase* loop = as_loop(self);
  PyObject* context;
  if (nargs < 2 || !only_context(loop->state, args, nargs, kwnames, &context)) [[unlikely]] {
    return call_stock_named(self, "call_at", args, nargs, kwnames);
  }
  PyObject* when = args[0];
  if (when == Py_None) {
    PyErr_SetString(PyExc_TypeError, "when cannot be None");
    return nullptr;
  }
  if (!is_fast(self) || clock_is_patched(loop->state)) [[unlikely]] {
    return call_at_slow(loop, when, args + 1, nargs - 1, context);
  }
  double seconds;
  if (as_seconds(when, &seconds) < 0)
    return nullptr;
  return push_timer(loop, seconds, PyFloat_CheckExact(when) ? nullptr : when, args + 1, nargs - 1,
                    context);
}

PyObject* call_later(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  LoopBase* loop = as_loop(self);
  PyObject* context;
  if (nargs < 2 || !only_context(loop->state, args, nargs, kwnames, &context)) [[unlikely]] {
    return call_stock_named(self, "call_later", args, nargs, kwnames);
  }
  PyObject* delay = args[0];
  if (delay == Py_None) {
    PyErr_SetString(PyExc_TypeError, "delay must not be None");
    return nullptr;
  }
  const bool number = PyFloat_CheckExact(delay) || PyLong_CheckExact(delay);
  if (number && is_fast(self) && !clock_is_patched(loop->state)) [[likely]] {
    double seconds;
    if (as_seconds(delay, &seconds) < 0)
      return nullptr;
    seconds += core::ns_to_seconds(core::now_ns());
    return push_timer(loop, seconds, nullptr, args + 1, nargs - 1, context);
  }
  // As CPython writes it: self.call_at(self.time() + delay, ...), both looked up.
  return call_stock_named(self, "call_later", args, nargs, kwnames);
}

PyObject* loop_time(PyObject* self, PyObject*) {
  if (clock_is_patched(as_loop(self)->state)) [[unlikely]] {
    // CPython's own: who freezes the clock may have patched it as well, to let loops see the real
    // one.
    return call_stock_named(self, "time", nullptr, 0, nullptr);
  }
  return PyFloat_FromDouble(core::ns_to_seconds(core::now_ns()));
}

// _make_handle(callback, args: tuple) -> a handle that is not scheduled, for _add_callback().
PyObject* make_handle(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 2 || !PyTuple_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "_make_handle(callback, args: tuple)");
    return nullptr;
  }
  LoopBase* loop = as_loop(self);
  Handle* handle = new_handle(loop->state, self, args[0], &PyTuple_GET_ITEM(args[1], 0),
                              PyTuple_GET_SIZE(args[1]), nullptr);
  if (!handle)
    return nullptr;
  Ref owned(as_object(handle));
  return note_source(loop, handle) < 0 ? nullptr : owned.release();
}

// A handle that became ready: descriptors and signals.
PyObject* add_callback(PyObject* self, PyObject* handle) {
  LoopBase* loop = as_loop(self);
  if (is_native_handle(loop->state, handle) && !(loop->flags & kCompatible)) {
    Handle* native = reinterpret_cast<Handle*>(handle);
    if (!is_cancelled(native)) {
      loop->core.ready.push_back(native);
      Py_INCREF(handle);
    }
    Py_RETURN_NONE;
  }
  // Somebody else's handle object: only CPython's scheduler can run it.
  if (become_compatible(loop) < 0)
    return nullptr;
  return call_stock(loop, loop->state->names.add_callback, &handle, 1, nullptr);
}

PyObject* timer_handle_cancelled(PyObject* self, PyObject* handle) {
  LoopBase* loop = as_loop(self);
  if (loop->flags & kCompatible) {
    return call_stock(loop, loop->state->names.timer_handle_cancelled, &handle, 1, nullptr);
  }
  Py_RETURN_NONE;
}

PyObject* write_to_self(PyObject* self, PyObject*) {
  if (as_loop(self)->flags & kForeignSelector) {
    return call_stock(as_loop(self), as_loop(self)->state->names.write_to_self, nullptr, 0,
                      nullptr);
  }
  as_loop(self)->core.wakeup.notify();
  Py_RETURN_NONE;
}

} // namespace

// No Python frame of ours is on the stack: nothing is cut off its end, as CPython's methods have
// to.
int note_source(LoopBase* loop, Handle* handle) {
  if (!(loop->flags & kDebug))
    return 0;
  PyObject* frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  PyObject* stack = PyObject_CallOneArg(loop->state->extract_stack, frame ? frame : Py_None);
  if (!stack)
    return -1;
  Py_XSETREF(handle->source_traceback, stack);
  return 0;
}

int loop_timer_cancelled(Handle* handle) {
  LoopBase* loop = as_loop(handle->loop);
  if (handle->heap_index != kNotInHeap) {
    // Out of the heap at once: a cancelled timer costs no memory until its deadline.
    loop->core.timers.remove(handle->heap_index);
    drop_handle(loop->state, handle);
    return 0;
  }
  if (!(loop->flags & kCompatible))
    return 0;
  const Ref done(PyObject_CallMethodOneArg(handle->loop, loop->state->names.timer_handle_cancelled,
                                           as_object(handle)));
  return done ? 0 : -1;
}

void loop_wait_for_callback(Handle* handle) {
  LoopBase* loop = as_loop(handle->loop);
  if (!handle->running || PyThread_get_thread_ident() == loop->run_thread)
    return;
  const Ref keep = Ref::borrow(handle->loop);
  ++loop->cancel_waiters;
  while (handle->running) {
    // Locked before the GIL is released: the loop's notification cannot fall in between.
    std::unique_lock lock(loop->finished_mutex);
    PyThreadState* thread = PyEval_SaveThread();
    loop->finished.wait(lock);
    lock.unlock();
    PyEval_RestoreThread(thread);
  }
  --loop->cancel_waiters;
}

void loop_callback_finished(Handle* handle) {
  LoopBase* loop = as_loop(handle->loop);
  if (loop->cancel_waiters == 0)
    return;
  const std::lock_guard lock(loop->finished_mutex);
  loop->finished.notify_all();
}

PyMethodDef schedule_methods[] = {
    {"call_soon", as_method(call_soon), METH_FASTCALL | METH_KEYWORDS,
     "call_soon($self, callback, *args, context=None)\n--\n\nSchedules the callback for the "
     "next turn."},
    {"call_soon_threadsafe", as_method(call_soon_threadsafe), METH_FASTCALL | METH_KEYWORDS,
     "call_soon_threadsafe($self, callback, *args, context=None)\n--\n\nLike call_soon(), from "
     "any thread."},
    {"call_later", as_method(call_later), METH_FASTCALL | METH_KEYWORDS,
     "call_later($self, delay, callback, *args, context=None)\n--\n\nSchedules the callback in "
     "`delay` seconds."},
    {"call_at", as_method(call_at), METH_FASTCALL | METH_KEYWORDS,
     "call_at($self, when, callback, *args, context=None)\n--\n\nSchedules the callback at "
     "`when` of loop.time()."},
    {"time", loop_time, METH_NOARGS,
     "time($self, /)\n--\n\nSeconds of CLOCK_MONOTONIC, the clock of time.monotonic()."},
    {"_call_soon", as_method(call_soon_inner), METH_FASTCALL, nullptr},
    {"_make_handle", as_method(make_handle), METH_FASTCALL, nullptr},
    {"_add_callback", add_callback, METH_O, nullptr},
    {"_timer_handle_cancelled", timer_handle_cancelled, METH_O, nullptr},
    {"_write_to_self", write_to_self, METH_NOARGS, nullptr},
    {},
};

} // namespace loopgauge::py
