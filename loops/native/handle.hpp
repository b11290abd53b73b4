// Handles: what call_soon() and call_at() return.
//
// Real subclasses of asyncio.Handle and asyncio.TimerHandle, because other people's code asks
// isinstance() and reads their private attributes. The base classes' slots are the storage where
// that costs nothing; getters replace the slots whose value is made on demand. Both types share one
// C layout, so a plain handle carries TimerHandle's two slots unused (16 bytes, no time).
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "loops/native/state.hpp"

namespace loopgauge::py {

/// Positional arguments that live in the handle: no tuple for a callback with up to three.
inline constexpr Py_ssize_t kInlineArgs = 3;
inline constexpr std::size_t kNotInHeap = std::numeric_limits<std::size_t>::max();

struct Handle {
  PyObject_HEAD
      // Slots of asyncio.Handle, in CPython's order (sorted by name); checked at import.
      PyObject* args;  // tuple once somebody asked for `_args`, or with more than kInlineArgs
  PyObject* callback;  // null when cancelled
  PyObject* cancelled; // Py_True or Py_False, borrowed
  PyObject* context;
  PyObject* loop;
  PyObject* repr;             // null: None
  PyObject* source_traceback; // null: None
#if PY_VERSION_HEX < 0x030C0000
  PyObject* weaklist; // later versions keep it in front of the object
#endif
  // Slots of asyncio.TimerHandle.
  PyObject* scheduled; // what Python code assigned to `_scheduled`; null: False
  PyObject* when;      // null: `when_seconds` is the value
  // Ours.
  PyObject* inline_args[1 + kInlineArgs]; // [0] is scratch for PY_VECTORCALL_ARGUMENTS_OFFSET
  double when_seconds;                    // deadline in seconds of loop.time()
  std::size_t heap_index;                 // position in the loop's timer heap, or kNotInHeap
  std::uint8_t inline_count;              // used only while `args` is null
  bool is_timer;
  bool thread_safe; // of the version's thread-safe type
  bool tracked;     // known to the garbage collector; see track()
  bool running;     // its callback is being called: cancel() must not release what the call borrows
};

inline bool is_cancelled(const Handle* handle) {
  return handle->cancelled == Py_True;
}
inline PyObject* as_object(Handle* handle) {
  return reinterpret_cast<PyObject*>(handle);
}
inline Handle* as_handle(PyObject* object) {
  return reinterpret_cast<Handle*>(object);
}

/// Makes the handle known to the garbage collector. One that only the ready queue refers to is not:
/// nearly all of them are born, run and recycled without a collection having to look at them, and
/// the loop's own traversal looks through them. To be called when a handle is given to anything
/// else that keeps it: a Python container, or its user, once it left the queue. Idempotent.
inline void track(Handle* handle) {
  if (handle->tracked)
    return;
  handle->tracked = true;
  PyObject_GC_Track(as_object(handle));
}

/// Traversal of the loop for a handle it holds.
int visit_held_handle(Handle* handle, visitproc visit, void* arg);

/// A new handle; `context` null means a copy of the current one. Borrows everything it is given.
/// Returns a new reference, or null with an exception.
Handle* new_handle(ModuleState* state, PyObject* loop, PyObject* callback, PyObject* const* args,
                   Py_ssize_t nargs, PyObject* context);

/// The same for call_soon_threadsafe(). From 3.14 on it is a handle that another thread can cancel:
/// its cancel() returns when a callback that has begun is over. Before, a plain handle.
Handle* new_thread_safe_handle(ModuleState* state, PyObject* loop, PyObject* callback,
                               PyObject* const* args, Py_ssize_t nargs, PyObject* context);

/// The same for call_at(); `when` null means that `when_seconds` says it.
Handle* new_timer_handle(ModuleState* state, PyObject* loop, double when_seconds, PyObject* when,
                         PyObject* callback, PyObject* const* args, Py_ssize_t nargs,
                         PyObject* context);

/// Calls the callback in its context. Reports what it raises to the loop's exception handler.
/// False: SystemExit, KeyboardInterrupt or a failed report is set and must leave the loop.
bool run_handle(Handle* handle);

/// Gives up one reference, as Py_DECREF does.
void drop_handle(ModuleState* state, Handle* handle);

/// Marks as cancelled and releases callback and arguments, without telling the loop. Returns -1 on
/// error.
int cancel_handle(Handle* handle);

/// True for a handle of this module.
inline bool is_native_handle(const ModuleState* state, PyObject* object) {
  return Py_IS_TYPE(object, state->handle_type) || Py_IS_TYPE(object, state->timer_handle_type) ||
         Py_IS_TYPE(object, state->thread_safe_handle_type);
}

/// Reports the exception that is set to the loop's exception handler, as asyncio.Handle._run does.
/// False: it is SystemExit or KeyboardInterrupt, or the report failed; it stays set.
bool report_exception(Handle* handle);

// The types' slots, for handle_type.cpp.
int handle_clear(PyObject* self);
int handle_traverse(PyObject* self, visitproc visit, void* arg);
void handle_dealloc(PyObject* self);

/// Creates the types. Returns -1 with an exception, also when asyncio's handle classes do not have
/// the layout this file was written for.
int add_handle_types(PyObject* module, ModuleState* state);
void clear_free_lists(ModuleState* state);

} // namespace loopgauge::py
