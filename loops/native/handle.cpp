#include "loops/native/handle.hpp"

#include <structmember.h>  // PyMemberDef, before 3.12

#include <cstddef>

#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

Handle* as_handle(PyObject* object) { return reinterpret_cast<Handle*>(object); }

Handle* allocate(FreeList& free_list, PyTypeObject* type) {
  if (Handle* handle = free_list.head) {
    free_list.head = reinterpret_cast<Handle*>(handle->callback);
    --free_list.size;
    Py_SET_REFCNT(as_object(handle), 1);
    return handle;
  }
  Handle* handle = PyObject_GC_New(Handle, type);
  if (!handle) return nullptr;
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

Handle* make(PyTypeObject* type, FreeList& free_list, PyObject* loop,
             PyObject* callback, PyObject* const* args, Py_ssize_t nargs, PyObject* context) {
  PyObject* own_context = context ? Py_NewRef(context) : PyContext_CopyCurrent();
  if (!own_context) return nullptr;
  PyObject* tuple = nullptr;
  if (nargs > kInlineArgs) {
    tuple = PyTuple_New(nargs);
    if (!tuple) {
      Py_DECREF(own_context);
      return nullptr;
    }
    for (Py_ssize_t i = 0; i < nargs; ++i) PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
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
    for (Py_ssize_t i = 0; i < nargs; ++i) handle->inline_args[1 + i] = Py_NewRef(args[i]);
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
  for (int i = 1; i <= count; ++i) Py_CLEAR(handle->inline_args[i]);
}

void release_rest(Handle* handle) {
  Py_CLEAR(handle->context);
  Py_CLEAR(handle->loop);
  Py_CLEAR(handle->repr);
  Py_CLEAR(handle->source_traceback);
  Py_CLEAR(handle->scheduled);
  Py_CLEAR(handle->when);
}

// The collector's. Loop and context stay until the end: every method relies on them, and both can be
// cleared themselves, so that no cycle is left.
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

int visit_references(Handle* handle, visitproc visit, void* arg) {
  Py_VISIT(handle->args);
  Py_VISIT(handle->callback);
  Py_VISIT(handle->context);
  Py_VISIT(handle->loop);
  Py_VISIT(handle->repr);
  Py_VISIT(handle->source_traceback);
  Py_VISIT(handle->scheduled);
  Py_VISIT(handle->when);
  for (int i = 1; i <= handle->inline_count; ++i) Py_VISIT(handle->inline_args[i]);
  return 0;
}

int handle_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return visit_references(as_handle(self), visit, arg);
}

bool has_weak_references(PyObject* self, PyTypeObject* type) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + type->tp_weaklistoffset);
}

FreeList& free_list_of(ModuleState* state, const Handle* handle) {
  if (handle->is_timer) return state->timer_handles;
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

void handle_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (as_handle(self)->tracked) PyObject_GC_UnTrack(self);
  if (has_weak_references(self, type)) PyObject_ClearWeakRefs(self);
  Py_TRASHCAN_BEGIN(self, handle_dealloc);
  release_call(as_handle(self));
  release_rest(as_handle(self));
  recycle(as_handle(self), state_of(type), type);
  Py_TRASHCAN_END;
}

// The callback's positional arguments as the tuple that Python code sees as `_args`.
PyObject* args_tuple(Handle* handle) {
  if (!handle->args) {
    PyObject* tuple = PyTuple_New(handle->inline_count);
    if (!tuple) return nullptr;
    for (Py_ssize_t i = 0; i < handle->inline_count; ++i) {
      PyTuple_SET_ITEM(tuple, i, Py_NewRef(handle->inline_args[1 + i]));
    }
    handle->args = tuple;
  }
  return Py_NewRef(handle->args);
}

PyObject* call(Handle* handle) {
  if (!handle->args) {
    return PyObject_Vectorcall(handle->callback, &handle->inline_args[1],
                               handle->inline_count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  }
  return PyObject_Call(handle->callback, handle->args, nullptr);
}

// asyncio.Handle._run's except branch, in Python: it formats differently from version to version.
bool report(Handle* handle) {
  if (PyErr_ExceptionMatches(PyExc_SystemExit) || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
    return false;
  }
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  const Ref own_type(type), exception(value), own_traceback(traceback);
  const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.reporting"));
  if (!module) return false;
  const Ref done(PyObject_CallMethod(module.get(), "report_callback_exception", "OO",
                                     as_object(handle), exception.get()));
  return static_cast<bool>(done);
}

PyObject* none_or(PyObject* object) { return Py_NewRef(object ? object : Py_None); }

// ---- attributes -------------------------------------------------------------------------------

PyObject* get_callback(PyObject* self, void*) { return none_or(as_handle(self)->callback); }

// The call borrows callback, arguments and context: nothing can be replaced under it.
bool may_replace(const Handle* handle) {
  if (!handle->running) return true;
  PyErr_SetString(PyExc_RuntimeError, "a handle cannot be changed while its callback runs");
  return false;
}

// None is stored as it is: calling it raises what CPython raises.
int set_callback(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle)) return -1;
  Py_XSETREF(handle->callback, Py_NewRef(value ? value : Py_None));
  return 0;
}

PyObject* get_context(PyObject* self, void*) { return none_or(as_handle(self)->context); }

int set_context(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle)) return -1;
  if (!value || !PyContext_CheckExact(value)) {
    PyErr_SetString(PyExc_TypeError, "the context of a handle must be a contextvars.Context");
    return -1;
  }
  Py_XSETREF(handle->context, Py_NewRef(value));
  return 0;
}

PyObject* get_loop(PyObject* self, void*) { return none_or(as_handle(self)->loop); }

int set_loop(PyObject* self, PyObject* value, void*) {
  if (value == as_handle(self)->loop) return 0;
  PyErr_SetString(PyExc_AttributeError, "a handle cannot be moved to another loop");
  return -1;
}

PyObject* get_args(PyObject* self, void*) {
  Handle* handle = as_handle(self);
  if (!handle->callback && !handle->args) Py_RETURN_NONE;
  return args_tuple(handle);
}

int set_args(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle)) return -1;
  Ref tuple;
  if (value && value != Py_None) {
    tuple = Ref(PySequence_Tuple(value));
    if (!tuple) return -1;
  }
  const int count = std::exchange(handle->inline_count, std::uint8_t{0});
  Py_XSETREF(handle->args, tuple.release());
  for (int i = 1; i <= count; ++i) Py_CLEAR(handle->inline_args[i]);
  return 0;
}

PyObject* get_cancelled(PyObject* self, void*) { return Py_NewRef(as_handle(self)->cancelled); }

int set_cancelled(PyObject* self, PyObject* value, void*) {
  const int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0) return -1;
  Handle* handle = as_handle(self);
  handle->cancelled = truth ? Py_True : Py_False;
  if (!truth && !handle->callback) handle->callback = Py_NewRef(Py_None);  // taken back too late
  return 0;
}

// One getter and setter for the slots that read as None until they are set; closure: the field's offset.
PyObject** field(PyObject* self, void* offset) {
  return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + reinterpret_cast<std::uintptr_t>(offset));
}

PyObject* get_field(PyObject* self, void* offset) { return none_or(*field(self, offset)); }

int set_field(PyObject* self, PyObject* value, void* offset) {
  Py_XSETREF(*field(self, offset), Py_XNewRef(value));
  return 0;
}

PyObject* get_when(PyObject* self, void*) {
  Handle* handle = as_handle(self);
  return handle->when ? Py_NewRef(handle->when) : PyFloat_FromDouble(handle->when_seconds);
}

int set_when(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_handle(self)->when, Py_XNewRef(value));
  return 0;
}

PyObject* get_scheduled(PyObject* self, void*) {
  Handle* handle = as_handle(self);
  if (handle->heap_index != kNotInHeap) Py_RETURN_TRUE;
  return Py_NewRef(handle->scheduled ? handle->scheduled : Py_False);
}

int set_scheduled(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_handle(self)->scheduled, Py_XNewRef(value));
  return 0;
}

void* offset_of(std::size_t offset) { return reinterpret_cast<void*>(offset); }

// ---- methods ----------------------------------------------------------------------------------

PyObject* handle_cancel(PyObject* self, PyObject*) {
  Handle* handle = as_handle(self);
  const Ref keep = Ref::borrow(self);
  if (handle->thread_safe) loop_wait_for_callback(handle);
  if (is_cancelled(handle)) Py_RETURN_NONE;
  if (handle->is_timer && loop_timer_cancelled(handle) < 0) return nullptr;
  if (cancel_handle(handle) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* handle_cancelled(PyObject* self, PyObject*) {
  const Ref keep = Ref::borrow(self);
  if (as_handle(self)->thread_safe) loop_wait_for_callback(as_handle(self));
  return Py_NewRef(as_handle(self)->cancelled);
}

PyObject* handle_run(PyObject* self, PyObject*) {
  const Ref keep = Ref::borrow(self);
  // CPython calls the context with whatever `_callback` is; a cancelled handle has none.
  if (!as_handle(self)->callback) {
    if (as_handle(self)->thread_safe) Py_RETURN_NONE;
    PyErr_SetString(PyExc_TypeError, "'NoneType' object is not callable");
    if (!report(as_handle(self))) return nullptr;
    Py_RETURN_NONE;
  }
  as_loop(as_handle(self)->loop)->run_thread = PyThread_get_thread_ident();
  if (!run_handle(as_handle(self))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* handle_when(PyObject* self, PyObject*) { return get_when(self, nullptr); }

PyMethodDef handle_methods[] = {
    {"cancel", handle_cancel, METH_NOARGS, "Prevents the callback from being called; a second call does nothing."},
    {"cancelled", handle_cancelled, METH_NOARGS, "True if the callback was cancelled."},
    {"_run", handle_run, METH_NOARGS, nullptr},
    {},
};

PyMethodDef timer_handle_methods[] = {
    {"cancel", handle_cancel, METH_NOARGS, "Prevents the callback from being called; a second call does nothing."},
    {"cancelled", handle_cancelled, METH_NOARGS, "True if the callback was cancelled."},
    {"when", handle_when, METH_NOARGS, "The deadline in seconds of loop.time()."},
    {"_run", handle_run, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef handle_getset[] = {
    {"_args", get_args, set_args, nullptr, nullptr},
    {"_callback", get_callback, set_callback, nullptr, nullptr},
    {"_cancelled", get_cancelled, set_cancelled, nullptr, nullptr},
    {"_context", get_context, set_context, nullptr, nullptr},
    {"_loop", get_loop, set_loop, nullptr, nullptr},
    {"_repr", get_field, set_field, nullptr, offset_of(offsetof(Handle, repr))},
    {"_source_traceback", get_field, set_field, nullptr, offset_of(offsetof(Handle, source_traceback))},
    {},
};

PyGetSetDef timer_handle_getset[] = {
    {"_args", get_args, set_args, nullptr, nullptr},
    {"_callback", get_callback, set_callback, nullptr, nullptr},
    {"_cancelled", get_cancelled, set_cancelled, nullptr, nullptr},
    {"_context", get_context, set_context, nullptr, nullptr},
    {"_loop", get_loop, set_loop, nullptr, nullptr},
    {"_repr", get_field, set_field, nullptr, offset_of(offsetof(Handle, repr))},
    {"_source_traceback", get_field, set_field, nullptr, offset_of(offsetof(Handle, source_traceback))},
    {"_scheduled", get_scheduled, set_scheduled, nullptr, nullptr},
    {"_when", get_when, set_when, nullptr, nullptr},
    {},
};

constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;

PyTypeObject* make_type(PyObject* module, const char* name, PyMethodDef* methods, PyGetSetDef* getset,
                        PyObject* base) {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(handle_dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(handle_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(handle_clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, getset},
      {},
  };
  PyType_Spec spec{name, sizeof(Handle), 0, kFlags, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, base));
}

// The offset of the slot `name` of a Python class with __slots__, or -1.
Py_ssize_t slot_offset(PyObject* type, const char* name) {
  const Ref descriptor(PyObject_GetAttrString(type, name));
  if (!descriptor || !Py_IS_TYPE(descriptor.get(), &PyMemberDescr_Type)) return -1;
  return reinterpret_cast<PyMemberDescrObject*>(descriptor.get())->d_member->offset;
}

struct ExpectedSlot {
  const char* name;
  std::size_t offset;
};

bool has_expected_layout(PyObject* handle, PyObject* timer_handle) {
  static constexpr ExpectedSlot expected[] = {
      {"_args", offsetof(Handle, args)},           {"_callback", offsetof(Handle, callback)},
      {"_cancelled", offsetof(Handle, cancelled)}, {"_context", offsetof(Handle, context)},
      {"_loop", offsetof(Handle, loop)},           {"_repr", offsetof(Handle, repr)},
      {"_scheduled", offsetof(Handle, scheduled)}, {"_source_traceback", offsetof(Handle, source_traceback)},
      {"_when", offsetof(Handle, when)},
  };
  for (const ExpectedSlot& slot : expected) {
    if (slot_offset(timer_handle, slot.name) != static_cast<Py_ssize_t>(slot.offset)) return false;
  }
  return reinterpret_cast<PyTypeObject*>(handle)->tp_basicsize == offsetof(Handle, scheduled);
}

void clear_free_list(FreeList& free_list, PyTypeObject* type) {
  while (Handle* handle = free_list.head) {
    free_list.head = reinterpret_cast<Handle*>(handle->callback);
    --free_list.size;
    PyObject_GC_Del(handle);
    Py_DECREF(type);
  }
}

}  // namespace

Handle* new_handle(ModuleState* state, PyObject* loop, PyObject* callback, PyObject* const* args,
                   Py_ssize_t nargs, PyObject* context) {
  return make(state->handle_type, state->handles, loop, callback, args, nargs, context);
}

Handle* new_thread_safe_handle(ModuleState* state, PyObject* loop, PyObject* callback, PyObject* const* args,
                               Py_ssize_t nargs, PyObject* context) {
  if (!state->thread_safe_handle_type) return new_handle(state, loop, callback, args, nargs, context);
  return make(state->thread_safe_handle_type, state->thread_safe_handles, loop, callback, args, nargs, context);
}

Handle* new_timer_handle(ModuleState* state, PyObject* loop, double when_seconds, PyObject* when,
                         PyObject* callback, PyObject* const* args, Py_ssize_t nargs, PyObject* context) {
  Handle* handle =
      make(state->timer_handle_type, state->timer_handles, loop, callback, args, nargs, context);
  if (!handle) return nullptr;
  handle->when_seconds = when_seconds;
  handle->when = Py_XNewRef(when);
  track(handle);  // timers live long and are kept by those who may cancel them
  return handle;
}

int visit_held_handle(Handle* handle, visitproc visit, void* arg) {
  if (handle->tracked) return visit(as_object(handle), arg);
  // Ours alone: its references are the loop's. If its user still has it too, they are not counted,
  // and what it refers to stays alive until it has run.
  return Py_REFCNT(as_object(handle)) == 1 ? visit_references(handle, visit, arg) : 0;
}

bool run_handle(Handle* handle) {
  PyObject* context = handle->context;
  if (PyContext_Enter(context) < 0) return report(handle);
  const bool was_running = std::exchange(handle->running, true);
  PyObject* result = call(handle);
  handle->running = was_running;
  if (handle->thread_safe) loop_callback_finished(handle);
  if (result) [[likely]] {
    Py_DECREF(result);
    if (PyContext_Exit(context) < 0) return false;
  } else {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyContext_Exit(context) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    if (!report(handle)) {
      if (is_cancelled(handle) && !was_running) release_call(handle);
      return false;
    }
  }
  if (is_cancelled(handle) && !was_running) [[unlikely]] release_call(handle);
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
  if (handle->tracked) PyObject_GC_UnTrack(self);
  release_call(handle);
  Py_CLEAR(handle->context);
  Py_CLEAR(handle->loop);
  if (handle->repr || handle->source_traceback || handle->scheduled || handle->when) release_rest(handle);
  Py_SET_REFCNT(self, 0);
  recycle(handle, state, type);
}

int cancel_handle(Handle* handle) {
  if (loop_debug(handle->loop) && !handle->repr) {
    handle->cancelled = Py_True;
    handle->repr = PyObject_Repr(as_object(handle));
    if (!handle->repr) return -1;
  }
  handle->cancelled = Py_True;
  if (!handle->running) release_call(handle);
  return 0;
}

int add_handle_types(PyObject* module, ModuleState* state) {
  const Ref events(PyImport_ImportModule("asyncio.events"));
  if (!events) return -1;
  const Ref handle(PyObject_GetAttrString(events.get(), "Handle"));
  const Ref timer_handle(PyObject_GetAttrString(events.get(), "TimerHandle"));
  if (!handle || !timer_handle) return -1;
  if (!has_expected_layout(handle.get(), timer_handle.get())) {
    PyErr_Clear();
    PyErr_SetString(PyExc_ImportError,
                    "asyncio.Handle of this Python has another layout than CPython 3.11 to 3.15; "
                    "this version of loopgauge cannot derive its handles from it");
    return -1;
  }
  state->handle_type =
      make_type(module, "loopgauge._core.Handle", handle_methods, handle_getset, handle.get());
  if (!state->handle_type) return -1;
  state->timer_handle_type = make_type(module, "loopgauge._core.TimerHandle", timer_handle_methods,
                                       timer_handle_getset, timer_handle.get());
  if (!state->timer_handle_type) return -1;
  const Ref thread_safe(PyObject_GetAttrString(events.get(), "_ThreadSafeHandle"));
  PyErr_Clear();
  if (!thread_safe) return 0;
  state->thread_safe_handle_type = make_type(module, "loopgauge._core._ThreadSafeHandle", handle_methods,
                                             handle_getset, thread_safe.get());
  return state->thread_safe_handle_type ? 0 : -1;
}

void clear_free_lists(ModuleState* state) {
  clear_free_list(state->thread_safe_handles, state->thread_safe_handle_type);
  clear_free_list(state->handles, state->handle_type);
  clear_free_list(state->timer_handles, state->timer_handle_type);
}

}  // namespace loopgauge::py
