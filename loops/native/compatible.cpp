// CPython's own scheduler, when somebody needs it: see the header.

#include "loops/core/clock.hpp"
#include "loops/native/held_back.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/transport.hpp"

namespace loopgauge::py {
namespace {

// What BaseEventLoop calls on itself while it schedules and runs. Other methods need no care: they
// are found by attribute lookup, so an override is called anyway.
struct Guarded {
  const char* name;
  bool native; // LoopBase defines it; otherwise it is CPython's, in the versions that have it
};
constexpr Guarded kGuarded[] = {
    {"_run_once", true},
    {"time", true},
    {"call_at", true},
    {"_call_soon", true},
    {"_add_callback", true},
    {"_timer_handle_cancelled", true},
    {"_write_to_self", true},
    {"_add_reader", true},
    {"_remove_reader", true},
    {"_add_writer", true},
    {"_remove_writer", true},
    {"_process_events", false},
    {"_run_forever_setup", false},
    {"_run_forever_cleanup", false},
};

// True when `self.name` is what this module or CPython defines.
bool is_pristine(LoopBase* loop, const Guarded& guarded) {
  const ModuleState* state = loop->state;
  PyObject* owner =
      guarded.native ? reinterpret_cast<PyObject*>(state->loop_type) : state->selector_event_loop;
  const Ref expected(PyObject_GetAttrString(owner, guarded.name));
  if (!expected && !guarded.native && PyErr_ExceptionMatches(PyExc_AttributeError)) {
    PyErr_Clear();
    return true;
  }
  const Ref bound(PyObject_GetAttrString(as_object(loop), guarded.name));
  if (!expected || !bound) {
    PyErr_Clear();
    return false;
  }
  if (PyCFunction_Check(bound.get()) && Py_IS_TYPE(expected.get(), &PyMethodDescr_Type)) {
    return PyCFunction_GET_SELF(bound.get()) == as_object(loop) &&
           PyCFunction_GET_FUNCTION(bound.get()) ==
               reinterpret_cast<PyMethodDescrObject*>(expected.get())->d_method->ml_meth;
  }
  return PyMethod_Check(bound.get()) && PyMethod_GET_FUNCTION(bound.get()) == expected.get();
}

// True when somebody replaced the method in CPython's own class: our scheduler would not call it.
bool is_patched_in_stock(const ModuleState* state, const char* name) {
  const Ref now(PyObject_GetAttrString(state->selector_event_loop, name));
  PyErr_Clear();
  return now.get() != PyDict_GetItemString(state->stock_methods, name);
}

// Attributes whose value CPython's scheduler reads in every turn; -1 with an exception.
int note_scheduler_attribute(LoopBase* loop, PyObject* name, PyObject* value) {
  if (PyUnicode_CompareWithASCIIString(name, "_clock_resolution") == 0) {
    // Ours is the clock's: a nanosecond. With another one, timers are due early.
    const double resolution = value ? PyFloat_AsDouble(value) : -1;
    PyErr_Clear();
    return resolution == 1e-9 ? 0 : become_compatible(loop);
  }
  if (PyUnicode_CompareWithASCIIString(name, "_selector") == 0 && value && value != Py_None &&
      !(loop->flags & kForeignSelector) && !PyObject_HasAttrString(value, "_loop_ref")) {
    PyErr_SetString(PyExc_AttributeError, "the selector of a loop cannot be replaced; give it to "
                                          "the constructor: EventLoop(selector)");
    return -1;
  }
  return 0;
}

bool is_guarded(PyObject* name) {
  for (const Guarded& guarded : kGuarded) {
    if (PyUnicode_CompareWithASCIIString(name, guarded.name) == 0)
      return true;
  }
  return false;
}

// The timers as a list ordered by deadline, which is also a heap.
PyObject* take_timers(Core& core) {
  Ref list(PyList_New(0));
  if (!list)
    return nullptr;
  while (!core.timers.empty()) {
    Handle* handle = core.timers.pop();
    const Ref owned(as_object(handle));
    if (PyList_Append(list.get(), owned.get()) < 0)
      return nullptr;
    Py_XSETREF(handle->scheduled, Py_NewRef(Py_True));
  }
  return list.release();
}

PyObject* take_ready(ModuleState* state, Core& core) {
  Ref deque(PyObject_CallNoArgs(state->deque));
  if (!deque)
    return nullptr;
  while (!core.ready.empty()) {
    Handle* handle = core.ready.pop_front();
    track(handle);
    const Ref owned(as_object(handle));
    const Ref done(PyObject_CallMethodOneArg(deque.get(), state->names.append, owned.get()));
    if (!done)
      return nullptr;
  }
  return deque.release();
}

bool is_empty(PyObject* value) {
  const Py_ssize_t size = PyObject_Size(value);
  PyErr_Clear();
  return size == 0;
}

int set_queue(PyObject* self, PyObject* value, PyObject* LoopBase::*queue,
              bool LoopBase::*has_initial) {
  LoopBase* loop = as_loop(self);
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "the loop's queues cannot be deleted");
    return -1;
  }
  // The first is the assignment by BaseEventLoop.__init__, of an empty container.
  const bool plain = Py_IS_TYPE(value, reinterpret_cast<PyTypeObject*>(loop->state->deque)) ||
                     PyList_CheckExact(value);
  const bool initial = !std::exchange(loop->*has_initial, true) && plain;
  const bool nothing_queued = loop->core.ready.empty() && loop->core.timers.empty();
  if (!(loop->flags & kCompatible) && initial && nothing_queued && is_empty(value))
    return 0;
  if (become_compatible(loop) < 0)
    return -1;
  Py_XSETREF(loop->*queue, Py_NewRef(value));
  return 0;
}

} // namespace

int become_compatible(LoopBase* loop) {
  if (loop->flags & kCompatible)
    return 0;
  if (flush_transports(loop) < 0) // CPython's scheduler knows of nothing held back
    return -1;
  Core& core = loop->core;
  loop->unfinished = core.remaining_in_turn();
  Ref scheduled(take_timers(core));
  if (!scheduled)
    return -1;
  Ref ready(take_ready(loop->state, core));
  if (!ready)
    return -1;
  loop->py_ready = ready.release();
  loop->py_scheduled = scheduled.release();
  loop->flags |= kCompatible;
  // Another thread may have asked while the loop sleeps with a timeout that no longer counts.
  core.wakeup.notify();
  return 0;
}

int refresh_overrides(LoopBase* loop) {
  if (loop->flags & kCompatible)
    return 0;
  bool needed = (loop->flags & (kDebug | kForeignSelector)) || clock_is_patched(loop->state);
  for (const Guarded& guarded : kGuarded) {
    needed =
        needed || !is_pristine(loop, guarded) || is_patched_in_stock(loop->state, guarded.name);
  }
  loop->flags &= ~static_cast<std::uint32_t>(kRecheck);
  loop->type_tag = Py_TYPE(loop)->tp_version_tag;
  return needed ? become_compatible(loop) : 0;
}

bool inner_is_overridden(LoopBase* loop) {
  return !is_pristine(loop, {"_call_soon", true});
}

int run_unfinished(LoopBase* loop) {
  const Names& names = loop->state->names;
  for (std::size_t left = std::exchange(loop->unfinished, 0); left > 0; --left) {
    if (is_empty(loop->py_ready))
      return 0;
    const Ref handle(PyObject_CallMethodNoArgs(loop->py_ready, names.popleft));
    if (!handle)
      return -1;
    const Ref cancelled(PyObject_GetAttrString(handle.get(), "_cancelled"));
    if (!cancelled)
      return -1;
    if (cancelled.get() == Py_True)
      continue;
    const Ref done(PyObject_CallMethodNoArgs(handle.get(), names.run));
    if (!done)
      return -1;
  }
  return 0;
}

int compatible_setattro(PyObject* self, PyObject* name, PyObject* value) {
  LoopBase* loop = as_loop(self);
  if (PyUnicode_Check(name)) {
    if (is_guarded(name))
      loop->flags |= kRecheck;
    if (note_scheduler_attribute(loop, name, value) < 0)
      return -1;
  }
  return PyObject_GenericSetAttr(self, name, value);
}

PyObject* record_stock_methods(PyObject* stock) {
  Ref methods(PyDict_New());
  if (!methods)
    return nullptr;
  for (const Guarded& guarded : kGuarded) {
    const Ref method(PyObject_GetAttrString(stock, guarded.name));
    PyErr_Clear(); // before 3.13 there were fewer
    if (method && PyDict_SetItemString(methods.get(), guarded.name, method.get()) < 0)
      return nullptr;
  }
  return methods.release();
}

PyObject* call_stock(LoopBase* loop, PyObject* name, PyObject* const* args, Py_ssize_t nargs,
                     PyObject* kwnames) {
  const Ref method(PyObject_GetAttr(loop->state->selector_event_loop, name));
  if (!method)
    return nullptr;
  const std::size_t total =
      static_cast<std::size_t>(nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
  PyObject** stack = static_cast<PyObject**>(PyMem_Malloc(sizeof(PyObject*) * (total + 1)));
  if (!stack)
    return PyErr_NoMemory();
  stack[0] = as_object(loop);
  for (std::size_t i = 0; i < total; ++i)
    stack[1 + i] = args[i];
  PyObject* result =
      PyObject_Vectorcall(method.get(), stack, static_cast<std::size_t>(nargs) + 1, kwnames);
  PyMem_Free(stack);
  return result;
}

PyObject* get_ready(PyObject* self, void*) {
  if (become_compatible(as_loop(self)) < 0)
    return nullptr;
  return Py_NewRef(as_loop(self)->py_ready);
}

PyObject* get_scheduled_list(PyObject* self, void*) {
  if (become_compatible(as_loop(self)) < 0)
    return nullptr;
  return Py_NewRef(as_loop(self)->py_scheduled);
}

int set_ready(PyObject* self, PyObject* value, void*) {
  return set_queue(self, value, &LoopBase::py_ready, &LoopBase::has_initial_ready);
}

int set_scheduled_list(PyObject* self, PyObject* value, void*) {
  return set_queue(self, value, &LoopBase::py_scheduled, &LoopBase::has_initial_scheduled);
}

} // namespace loopgauge::py
