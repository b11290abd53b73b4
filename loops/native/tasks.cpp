// create_task() and create_future(): once per task, so worth a direct call of the C types.

#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

constexpr Py_ssize_t kMaxArguments = 8;

// The class as it is in its module at this moment: patched and replaced classes are honoured.
PyObject* current_class(PyObject* module, PyObject* name) {
  PyObject* found = PyDict_GetItemWithError(PyModule_GetDict(module), name);
  if (!found && !PyErr_Occurred())
    PyErr_SetObject(PyExc_AttributeError, name);
  return found;
}

// ("loop", *kwnames), kept for the tuple that was used last: a call site passes the same one each
// time.
PyObject* with_loop(ModuleState* state, PyObject* kwnames) {
  if (!kwnames)
    return state->loop_kwnames;
  if (kwnames == state->task_kwnames)
    return state->task_kwnames_with_loop;
  Ref joined(PySequence_Concat(state->loop_kwnames, kwnames));
  if (!joined)
    return nullptr;
  Py_XSETREF(state->task_kwnames, Py_NewRef(kwnames));
  Py_XSETREF(state->task_kwnames_with_loop, joined.release());
  return state->task_kwnames_with_loop;
}

// Before create_task(coro, **kwargs), only name= and context= were taken; loop= is never the
// caller's.
bool keywords_fit(const ModuleState* state, PyObject* kwnames) {
  if (!kwnames || kwnames == state->task_kwnames)
    return true;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, i);
    if (PyUnicode_CompareWithASCIIString(name, "loop") == 0)
      return false;
    if (!state->task_takes_any_keyword && PyUnicode_CompareWithASCIIString(name, "name") != 0 &&
        PyUnicode_CompareWithASCIIString(name, "context") != 0) {
      return false;
    }
  }
  return true;
}

// factory(loop, coro, **kwargs), as create_task() of 3.13.3 and later calls it: eager tasks come
// this way.
PyObject* call_factory(LoopBase* loop, PyObject* const* args, PyObject* kwnames,
                       Py_ssize_t keywords) {
  const Ref factory = Ref::borrow(loop->task_factory);
  PyObject* stack[1 + kMaxArguments];
  stack[1] = as_object(loop);
  for (Py_ssize_t i = 0; i <= keywords; ++i)
    stack[2 + i] = args[i];
  return PyObject_Vectorcall(factory.get(), stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
}

#if PY_VERSION_HEX >= 0x030D0000
// factory(loop, coro), with context= where there is one, and the name set afterwards, as the
// documentation of 3.13.0 to 3.13.2 has it: their own code names a task without a name "None".
PyObject* call_factory_and_name(LoopBase* loop, PyObject* const* args, PyObject* kwnames,
                                Py_ssize_t keywords) {
  const Ref factory = Ref::borrow(loop->task_factory);
  PyObject* name = nullptr;
  PyObject* stack[] = {nullptr, as_object(loop), args[0], nullptr};
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    PyObject* value = Py_IsNone(args[1 + i]) ? nullptr : args[1 + i];
    const bool is_name =
        PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "name") == 0;
    (is_name ? name : stack[3]) = value;
  }
  const Ref context_keyword(stack[3] ? Py_BuildValue("(s)", "context") : nullptr);
  if (stack[3] && !context_keyword)
    return nullptr;
  Ref task(PyObject_Vectorcall(factory.get(), stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                               context_keyword.get()));
  const Ref named(task && name ? PyObject_CallMethod(task.get(), "set_name", "O", name) : nullptr);
  return name && !named ? nullptr : task.release();
}
#endif

PyObject* create_task(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  LoopBase* loop = as_loop(self);
  ModuleState* state = loop->state;
  const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  const bool few = nargs == 1 && keywords + 2 <= kMaxArguments;
  if (loop->task_factory && few && state->task_takes_any_keyword) {
    return check_closed(self) < 0 ? nullptr : call_factory(loop, args, kwnames, keywords);
  }
#if PY_VERSION_HEX >= 0x030D0000
  if (loop->task_factory && few && keywords_fit(state, kwnames))
    return check_closed(self) < 0 ? nullptr : call_factory_and_name(loop, args, kwnames, keywords);
#endif
  if (loop->task_factory || !few || !keywords_fit(state, kwnames)) {
    const Ref name(PyUnicode_InternFromString("create_task"));
    return name ? call_stock(loop, name.get(), args, nargs, kwnames) : nullptr;
  }
  if (check_closed(self) < 0)
    return nullptr;
  PyObject* type = current_class(state->tasks_module, state->names.task);
  // Kept for the call: an eager task can create others, with other keywords.
  const Ref names = Ref::borrow(type ? with_loop(state, kwnames) : nullptr);
  if (!names)
    return nullptr;
  PyObject* stack[1 + kMaxArguments];
  stack[1] = args[0];
  stack[2] = self;
  for (Py_ssize_t i = 0; i < keywords; ++i)
    stack[3 + i] = args[1 + i];
  // In debug mode the task notes the stack it was made on: no Python frame of ours is there to cut
  // off.
  return PyObject_Vectorcall(type, stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, names.get());
}

PyObject* create_future_method(PyObject* self, PyObject*) {
  return create_future(as_loop(self));
}

} // namespace

// Future(loop=loop) as type.__call__ does it, with keywords that are made once: the dictionary made
// for each call was a fifth of it. The loop is only in there during the call.
static PyObject* new_c_future(ModuleState* state, PyTypeObject* type, PyObject* loop) {
  PyObject* name = PyTuple_GET_ITEM(state->loop_kwnames, 0);
  Ref future(type->tp_new(type, state->no_arguments, nullptr));
  if (!future || PyDict_SetItem(state->future_keywords, name, loop) < 0)
    return nullptr;
  const int done = type->tp_init(future.get(), state->no_arguments, state->future_keywords);
  if (PyDict_SetItem(state->future_keywords, name, Py_None) < 0 || done < 0)
    return nullptr;
  return future.release();
}

PyObject* create_future(LoopBase* loop) {
  ModuleState* state = loop->state;
  PyObject* type = current_class(state->futures_module, state->names.future);
  if (!type)
    return nullptr;
  if (type == state->c_future)
    return new_c_future(state, reinterpret_cast<PyTypeObject*>(type), as_object(loop));
  PyObject* stack[2] = {nullptr, as_object(loop)};
  return PyObject_Vectorcall(type, stack + 1, 0 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                             state->loop_kwnames);
}

PyMethodDef task_methods[] = {
    {"create_task", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(create_task)),
     METH_FASTCALL | METH_KEYWORDS,
     "create_task($self, coro, **kwargs)\n--\n\nA Task for the coroutine, scheduled on this "
     "loop."},
    {"create_future", create_future_method, METH_NOARGS,
     "create_future($self, /)\n--\n\nA Future attached to this loop."},
    {},
};

} // namespace loopgauge::py
