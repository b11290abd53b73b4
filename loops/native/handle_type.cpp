// The handle types as Python sees them: attributes, methods, and how they are derived from
// asyncio's.

#include <Python.h>

#include <cstddef>
#include <structmember.h> // PyMemberDef, before 3.12

#include "loops/native/handle.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

// The callback's positional arguments as the tuple that Python code sees as `_args`.
PyObject* args_tuple(Handle* handle) {
  if (!handle->args) {
    PyObject* tuple = PyTuple_New(handle->inline_count);
    if (!tuple)
      return nullptr;
    for (Py_ssize_t i = 0; i < handle->inline_count; ++i) {
      PyTuple_SET_ITEM(tuple, i, Py_NewRef(handle->inline_args[1 + i]));
    }
    handle->args = tuple;
  }
  return Py_NewRef(handle->args);
}

PyObject* none_or(PyObject* object) {
  return Py_NewRef(object ? object : Py_None);
}

// ---- attributes -------------------------------------------------------------------------------

PyObject* get_callback(PyObject* self, void*) {
  return none_or(as_handle(self)->callback);
}

// The call borrows callback, arguments and context: nothing can be replaced under it.
bool may_replace(const Handle* handle) {
  if (!handle->running)
    return true;
  PyErr_SetString(PyExc_RuntimeError, "a handle cannot be changed while its callback runs");
  return false;
}

// None is stored as it is: calling it raises what CPython raises.
int set_callback(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle))
    return -1;
  Py_XSETREF(handle->callback, Py_NewRef(value ? value : Py_None));
  return 0;
}

PyObject* get_context(PyObject* self, void*) {
  return none_or(as_handle(self)->context);
}

int set_context(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle))
    return -1;
  if (!value || !PyContext_CheckExact(value)) {
    PyErr_SetString(PyExc_TypeError, "the context of a handle must be a contextvars.Context");
    return -1;
  }
  Py_XSETREF(handle->context, Py_NewRef(value));
  return 0;
}

PyObject* get_loop(PyObject* self, void*) {
  return none_or(as_handle(self)->loop);
}

int set_loop(PyObject* self, PyObject* value, void*) {
  if (value == as_handle(self)->loop)
    return 0;
  PyErr_SetString(PyExc_AttributeError, "a handle cannot be moved to another loop");
  return -1;
}

PyObject* get_args(PyObject* self, void*) {
  Handle* handle = as_handle(self);
  if (!handle->callback && !handle->args)
    Py_RETURN_NONE;
  return args_tuple(handle);
}

int set_args(PyObject* self, PyObject* value, void*) {
  Handle* handle = as_handle(self);
  if (!may_replace(handle))
    return -1;
  Ref tuple;
  if (value && value != Py_None) {
    tuple = Ref(PySequence_Tuple(value));
    if (!tuple)
      return -1;
  }
  const int count = std::exchange(handle->inline_count, std::uint8_t{0});
  Py_XSETREF(handle->args, tuple.release());
  for (int i = 1; i <= count; ++i)
    Py_CLEAR(handle->inline_args[i]);
  return 0;
}

PyObject* get_cancelled(PyObject* self, void*) {
  return Py_NewRef(as_handle(self)->cancelled);
}

int set_cancelled(PyObject* self, PyObject* value, void*) {
  const int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0)
    return -1;
  Handle* handle = as_handle(self);
  handle->cancelled = truth ? Py_True : Py_False;
  if (!truth && !handle->callback)
    handle->callback = Py_NewRef(Py_None); // taken back too late
  return 0;
}

// One getter and setter for the slots that read as None until they are set; closure: the field's
// offset.
PyObject** field(PyObject* self, void* offset) {
  return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) +
                                      reinterpret_cast<std::uintptr_t>(offset));
}

PyObject* get_field(PyObject* self, void* offset) {
  return none_or(*field(self, offset));
}

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
  if (handle->heap_index != kNotInHeap)
    Py_RETURN_TRUE;
  return Py_NewRef(handle->scheduled ? handle->scheduled : Py_False);
}

int set_scheduled(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_handle(self)->scheduled, Py_XNewRef(value));
  return 0;
}

void* offset_of(std::size_t offset) {
  return reinterpret_cast<void*>(offset);
}

// ---- methods ----------------------------------------------------------------------------------

PyObject* handle_cancel(PyObject* self, PyObject*) {
  Handle* handle = as_handle(self);
  const Ref keep = Ref::borrow(self);
  if (handle->thread_safe)
    loop_wait_for_callback(handle);
  if (is_cancelled(handle))
    Py_RETURN_NONE;
  if (handle->is_timer && loop_timer_cancelled(handle) < 0)
    return nullptr;
  if (cancel_handle(handle) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* handle_cancelled(PyObject* self, PyObject*) {
  const Ref keep = Ref::borrow(self);
  if (as_handle(self)->thread_safe)
    loop_wait_for_callback(as_handle(self));
  return Py_NewRef(as_handle(self)->cancelled);
}

PyObject* handle_run(PyObject* self, PyObject*) {
  const Ref keep = Ref::borrow(self);
  // CPython calls the context with whatever `_callback` is; a cancelled handle has none.
  if (!as_handle(self)->callback) {
    if (as_handle(self)->thread_safe)
      Py_RETURN_NONE;
    PyErr_SetString(PyExc_TypeError, "'NoneType' object is not callable");
    if (!report_exception(as_handle(self)))
      return nullptr;
    Py_RETURN_NONE;
  }
  as_loop(as_handle(self)->loop)->run_thread = PyThread_get_thread_ident();
  if (!run_handle(as_handle(self)))
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* handle_when(PyObject* self, PyObject*) {
  return get_when(self, nullptr);
}

PyMethodDef handle_methods[] = {
    {"cancel", handle_cancel, METH_NOARGS,
     "Prevents the callback from being called; a second call does nothing."},
    {"cancelled", handle_cancelled, METH_NOARGS, "True if the callback was cancelled."},
    {"_run", handle_run, METH_NOARGS, nullptr},
    {},
};

PyMethodDef timer_handle_methods[] = {
    {"cancel", handle_cancel, METH_NOARGS,
     "Prevents the callback from being called; a second call does nothing."},
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
    {"_source_traceback", get_field, set_field, nullptr,
     offset_of(offsetof(Handle, source_traceback))},
    {},
};

PyGetSetDef timer_handle_getset[] = {
    {"_args", get_args, set_args, nullptr, nullptr},
    {"_callback", get_callback, set_callback, nullptr, nullptr},
    {"_cancelled", get_cancelled, set_cancelled, nullptr, nullptr},
    {"_context", get_context, set_context, nullptr, nullptr},
    {"_loop", get_loop, set_loop, nullptr, nullptr},
    {"_repr", get_field, set_field, nullptr, offset_of(offsetof(Handle, repr))},
    {"_source_traceback", get_field, set_field, nullptr,
     offset_of(offsetof(Handle, source_traceback))},
    {"_scheduled", get_scheduled, set_scheduled, nullptr, nullptr},
    {"_when", get_when, set_when, nullptr, nullptr},
    {},
};

constexpr unsigned kFlags =
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;

PyTypeObject* make_type(PyObject* module, const char* name, PyMethodDef* methods,
                        PyGetSetDef* getset, PyObject* base) {
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
  if (!descriptor || !Py_IS_TYPE(descriptor.get(), &PyMemberDescr_Type))
    return -1;
  return reinterpret_cast<PyMemberDescrObject*>(descriptor.get())->d_member->offset;
}

struct ExpectedSlot {
  const char* name;
  std::size_t offset;
};

bool has_expected_layout(PyObject* handle, PyObject* timer_handle) {
  static constexpr ExpectedSlot expected[] = {
      {"_args", offsetof(Handle, args)},
      {"_callback", offsetof(Handle, callback)},
      {"_cancelled", offsetof(Handle, cancelled)},
      {"_context", offsetof(Handle, context)},
      {"_loop", offsetof(Handle, loop)},
      {"_repr", offsetof(Handle, repr)},
      {"_scheduled", offsetof(Handle, scheduled)},
      {"_source_traceback", offsetof(Handle, source_traceback)},
      {"_when", offsetof(Handle, when)},
  };
  for (const ExpectedSlot& slot : expected) {
    if (slot_offset(timer_handle, slot.name) != static_cast<Py_ssize_t>(slot.offset))
      return false;
  }
  return reinterpret_cast<PyTypeObject*>(handle)->tp_basicsize == offsetof(Handle, scheduled);
}

} // namespace

int add_handle_types(PyObject* module, ModuleState* state) {
  const Ref events(PyImport_ImportModule("asyncio.events"));
  if (!events)
    return -1;
  const Ref handle(PyObject_GetAttrString(events.get(), "Handle"));
  const Ref timer_handle(PyObject_GetAttrString(events.get(), "TimerHandle"));
  if (!handle || !timer_handle)
    return -1;
  if (!has_expected_layout(handle.get(), timer_handle.get())) {
    PyErr_Clear();
    PyErr_SetString(PyExc_ImportError,
                    "asyncio.Handle of this Python has another layout than CPython 3.11 to 3.15; "
                    "this version of loopgauge cannot derive its handles from it");
    return -1;
  }
  state->handle_type =
      make_type(module, "loopgauge._core.Handle", handle_methods, handle_getset, handle.get());
  if (!state->handle_type)
    return -1;
  state->timer_handle_type = make_type(module, "loopgauge._core.TimerHandle", timer_handle_methods,
                                       timer_handle_getset, timer_handle.get());
  if (!state->timer_handle_type)
    return -1;
  const Ref thread_safe(PyObject_GetAttrString(events.get(), "_ThreadSafeHandle"));
  PyErr_Clear();
  if (!thread_safe)
    return 0;
  state->thread_safe_handle_type = make_type(module, "loopgauge._core._ThreadSafeHandle",
                                             handle_methods, handle_getset, thread_safe.get());
  return state->thread_safe_handle_type ? 0 : -1;
}

} // namespace loopgauge::py
