#include "loops/native/handle.hpp"

#include "loops/native/exceptions.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

Handle* allocate(FreeList& free_list, PyTypeObject* type) {
  if (Handle* handle = free_list.head) {
    free_list.head = reinterpret_cast<Handle*>(handle->callback);
    --free_list.size;
    Py_SET_REFCNT(as_object(handle), 1);
    return handle;
  }
  Handle* handle = PyObject_GC_New(Handle, type);
  if (!handle)
    return nullptr;
  handle->args = nullptr;
  handle->repr = nullptr;
  handle->source_traceback = nullptr;
#if PY_VERSION_HEX < 0x030C0000
  handle->weaklist = nullptr;
#endif
  handle->scheduled = nullptr;
  handle->when = nullptr;
  handle->heap_index = kNotInHeap;
  const ModuleState* state = state_of(type);
  handle->is_timer = type == state->timer_handle_type;
  handle->thread_safe = type == state->thread_safe_handle_type;
  return handle;
}

Handle* make(PyTypeObject* type, FreeList& free_list, PyObject* loop, PyObject* callback,
             PyObject* const* args, Py_ssize_t nargs, PyObject* context) {
  PyObject* own_context = context ? Py_NewRef(context) : PyContext_CopyCurrent();
  if (!own_context)
    return nullptr;
  PyObject* tuple = nullptr;
  if (nargs > kInlineArgs) {
    tuple = PyTuple_New(nargs);
    if (!tuple) {
      Py_DECREF(own_context);
      return nullptr;
    }
    for (Py_ssize_t i = 0; i < nargs; ++i)
      PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  }
  Handle* handle = allocate(free_list, type);
  if (!handle) {
    Py_DECREF(own_context);
    Py_XDECREF(tuple);
    return nullptr;
  }
  handle->args = tuple;
  handle->inline_count = 0;
  if (!tuple) {
    for (Py_ssize_t i = 0; i < nargs; ++i)
      handle->inline_args[1 + i] = Py_NewRef(args[i]);
    handle->inline_count = static_cast<std::uint8_t>(nargs);
  }
  handle->callback = Py_NewRef(callback);
  handle->cancelled = Py_False;
  handle->context = own_context;
  handle->loop = Py_NewRef(loop);
  handle->running = false;
  handle->tracked = false;
  return handle;
}

void release_call(Handle* handle) {
  Py_CLEAR(handle->callback);
  Py_CLEAR(handle->args);
  const int count = std::exchange(handle->inline_count, std::uint8_t{0});
  for (int i = 1; i <= count; ++i)
    Py_CLEAR(handle->inline_args[i]);
}

void release_rest(Handle* handle) {
  Py_CLEAR(handle->context);
  Py_CLEAR(handle->loop);
  Py_CLEAR(handle->repr);
  Py_CLEAR(handle->source_traceback);
  Py_CLEAR(handle->scheduled);
  Py_CLEAR(handle->when);
}

} // namespace

// The collector's. Loop and context stay until the end: every method relies on them, and both can
// be cleared themselves, so that no cycle is left.
int handle_clear(PyObject* self) {
  Handle* handle = as_handle(self);
  handle->cancelled = Py_True;
  release_call(handle);
  Py_CLEAR(handle->repr);
  Py_CLEAR(handle->source_traceback);
  Py_CLEAR(handle->scheduled);
  Py_CLEAR(handle->when);
  return 0;
}

namespace {

int visit_references(Handle* handle, visitproc visit, void* arg) {
  Py_VISIT(handle->args);
  Py_VISIT(handle->callback);
  Py_VISIT(handle->context);
  Py_VISIT(handle->loop);
  Py_VISIT(handle->repr);
  Py_VISIT(handle->source_traceback);
  Py_VISIT(handle->scheduled);
  Py_VISIT(handle->when);
  for (int i = 1; i <= handle->inline_count; ++i)
    Py_VISIT(handle->inline_args[i]);
  return 0;
}

} // namespace

int handle_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return visit_references(as_handle(self), visit, arg);
}

namespace {

bool has_weak_references(PyObject* self, PyTypeObject* type) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + type->tp_weaklistoffset);
}

FreeList& free_list_of(ModuleState* state, const Handle* handle) {
  if (handle->is_timer)
    return state->timer_handles;
  return handle->thread_safe ? state->thread_safe_handles : state->handles;
}

// What is left of a handle goes back to where allocate() looks first. The recycled object keeps its
// reference to the type.
void recycle(Handle* handle, ModuleState* state, PyTypeObject* type) {
  FreeList& free_list = free_list_of(state, handle);
  if (free_list.size < FreeList::kCapacity) {
    handle->callback = reinterpret_cast<PyObject*>(free_list.head);
    free_list.head = handle;
    ++free_list.size;
  } else {
    PyObject_GC_Del(handle);
    Py_DECREF(type);
  }
}

} // namespace

void handle_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (as_handle(self)->tracked)
    PyObject_GC_UnTrack(self);
  if (has_weak_references(self, type))
    PyObject_ClearWeakRefs(self);
  Py_TRASHCAN_BEGIN(self, handle_dealloc);
  release_call(as_handle(self));
  release_rest(as_handle(self));
  recycle(as_handle(self), state_of(type), type);
  Py_TRASHCAN_END;
}

namespace {

PyObject* call(Handle* handle) {
  if (!handle->args) {
    return PyObject_Vectorcall(handle->callback, &handle->inline_args[1],
                               handle->inline_count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  }
  return PyObject_Call(handle->callback, handle->args, nullptr);
}

} // namespace

// asyncio.Handle._run's except branch, in Python: it formats differently from version to version.
bool report_exception(Handle* handle) {
  if (must_leave())
    return false;
  const Ref exception(take_exception());
  const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.reporting"));
  if (!module)
    return false;
  const Ref done(PyObject_CallMethod(module.get(), "report_callback_exception", "OO",
                                     as_object(handle), exception.get()));
  return static_cast<bool>(done);
}

namespace {

void clear_free_list(FreeList& free_list, PyTypeObject* type) {
  while (Handle* handle = free_list.head) {
    free_list.head = reinterpret_cast<Handle*>(handle->callback);
    --free_list.size;
    PyObject_GC_Del(handle);
    Py_DECREF(type);
  }
}

} // namespace

Handle* new_handle(ModuleState* state, PyObject* loop, PyObject* callback, PyObject* const* args,
                   Py_ssize_t nargs, PyObject* context) {
  return make(state->handle_type, state->handles, loop, callback, args, nargs, context);
}

Handle* new_thread_safe_handle(ModuleState* state, PyObject* loop, PyObject* callback,
                               PyObject* const* args, Py_ssize_t nargs, PyObject* context) {
  if (!state->thread_safe_handle_type)
    return new_handle(state, loop, callback, args, nargs, context);
  return make(state->thread_safe_handle_type, state->thread_safe_handles, loop, callback, args,
              nargs, context);
}

Handle* new_timer_handle(ModuleState* state, PyObject* loop, double when_seconds, PyObject* when,
                         PyObject* callback, PyObject* const* args, Py_ssize_t nargs,
                         PyObject* context) {
  Handle* handle =
      make(state->timer_handle_type, state->timer_handles, loop, callback, args, nargs, context);
  if (!handle)
    return nullptr;
  handle->when_seconds = when_seconds;
  handle->when = Py_XNewRef(when);
  track(handle); // timers live long and are kept by those who may cancel them
  return handle;
}

int visit_held_handle(Handle* handle, visitproc visit, void* arg) {
  if (handle->tracked)
    return visit(as_object(handle), arg);
  // Ours alone: its references are the loop's. If its user still has it too, they are not counted,
  // and what it refers to stays alive until it has run.
  return Py_REFCNT(as_object(handle)) == 1 ? visit_references(handle, visit, arg) : 0;
}

namespace {

// Keeps the exception that is set.
void leave_context(PyObject* context) {
  const KeepException raised;
  if (PyContext_Exit(context) < 0)
    PyErr_Clear();
}

} // namespace

bool run_handle(Handle* handle) {
  PyObject* context = handle->context;
  if (PyContext_Enter(context) < 0)
    return report_exception(handle);
  const bool was_running = std::exchange(handle->running, true);
  PyObject* result = call(handle);
  handle->running = was_running;
  if (handle->thread_safe)
    loop_callback_finished(handle);
  if (result) [[likely]] {
    Py_DECREF(result);
    if (PyContext_Exit(context) < 0)
      return false;
  } else {
    leave_context(context);
    if (!report_exception(handle)) {
      if (is_cancelled(handle) && !was_running)
        release_call(handle);
      return false;
    }
  }
  if (is_cancelled(handle) && !was_running) [[unlikely]]
    release_call(handle);
  return true;
}

void drop_handle(ModuleState* state, Handle* handle) {
  PyObject* self = as_object(handle);
  PyTypeObject* type = Py_TYPE(self);
  if (Py_REFCNT(self) != 1 || has_weak_references(self, type)) {
    track(handle);
    Py_DECREF(self);
    return;
  }
  // The usual case, nobody kept it: the same as the deallocator, without the detour.
  if (handle->tracked)
    PyObject_GC_UnTrack(self);
  release_call(handle);
  Py_CLEAR(handle->context);
  Py_CLEAR(handle->loop);
  if (handle->repr || handle->source_traceback || handle->scheduled || handle->when)
    release_rest(handle);
  Py_SET_REFCNT(self, 0);
  recycle(handle, state, type);
}

int cancel_handle(Handle* handle) {
  if (loop_debug(handle->loop) && !handle->repr) {
    handle->cancelled = Py_True;
    handle->repr = PyObject_Repr(as_object(handle));
    if (!handle->repr)
      return -1;
  }
  handle->cancelled = Py_True;
  if (!handle->running)
    release_call(handle);
  return 0;
}

void clear_free_lists(ModuleState* state) {
  clear_free_list(state->thread_safe_handles, state->thread_safe_handle_type);
  clear_free_list(state->handles, state->handle_type);
  clear_free_list(state->timer_handles, state->timer_handle_type);
}

} // namespace loopgauge::py
