// The extension module loopgauge._core.

#include "loops/native/datagram.hpp"
#include "loops/native/handle.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/pipe.hpp"
#include "loops/native/pyref.hpp"
#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

ModuleState* get_state(PyObject* module) {
  return static_cast<ModuleState*>(PyModule_GetState(module));
}

struct NameField {
  const char* text;
  PyObject* Names::*field;
};
constexpr NameField kNames[] = {
    {"_add_callback", &Names::add_callback},
    {"append", &Names::append},
    {"_attach", &Names::attach},
    {"_buffer", &Names::buffer},
    {"buffer_updated", &Names::buffer_updated},
    {"call_exception_handler", &Names::call_exception_handler},
    {"call_soon", &Names::call_soon},
    {"_call_soon", &Names::call_soon_inner},
    {"cancelled", &Names::cancelled},
    {"_check_callback", &Names::check_callback},
    {"_check_thread", &Names::check_thread},
    {"connection_lost", &Names::connection_lost},
    {"connection_made", &Names::connection_made},
    {"context", &Names::context},
    {"data_received", &Names::data_received},
    {"datagram_received", &Names::datagram_received},
    {"_detach", &Names::detach},
    {"_ensure_fd_no_transport", &Names::ensure_fd_no_transport},
    {"_eof", &Names::eof},
    {"eof_received", &Names::eof_received},
    {"error_received", &Names::error_received},
    {"feed_data", &Names::feed_data},
    {"fileno", &Names::fileno},
    {"Future", &Names::future},
    {"get_buffer", &Names::get_buffer},
    {"_limit", &Names::limit},
    {"monotonic", &Names::monotonic},
    {"pause_writing", &Names::pause_writing},
    {"_paused", &Names::paused},
    {"popleft", &Names::popleft},
    {"resume_writing", &Names::resume_writing},
    {"_run", &Names::run},
    {"_run_forever_compatible", &Names::run_forever_compatible},
    {"_run_once", &Names::run_once},
    {"set_result", &Names::set_result},
    {"_stream_reader_wr", &Names::stream_reader_wr},
    {"Task", &Names::task},
    {"_timer_handle_cancelled", &Names::timer_handle_cancelled},
    {"_transport", &Names::transport},
    {"_waiter", &Names::waiter},
    {"_write_to_self", &Names::write_to_self},
};

int intern_names(Names& names) {
  for (const NameField& name : kNames) {
    names.*name.field = PyUnicode_InternFromString(name.text);
    if (!(names.*name.field))
      return -1;
  }
  return 0;
}

PyObject* import_from(const char* module_name, const char* attribute) {
  const Ref module(PyImport_ImportModule(module_name));
  return module ? PyObject_GetAttrString(module.get(), attribute) : nullptr;
}

// Whether create_task() of the running version takes any keyword (3.13.3, 3.14): asked of its code.
int find_task_signature(ModuleState* state) {
  const Ref method(PyObject_GetAttrString(state->selector_event_loop, "create_task"));
  const Ref code(method ? PyObject_GetAttrString(method.get(), "__code__") : nullptr);
  const Ref flags(code ? PyObject_GetAttrString(code.get(), "co_flags") : nullptr);
  if (!flags)
    return -1;
  state->task_takes_any_keyword = PyLong_AsLong(flags.get()) & CO_VARKEYWORDS;
  return PyErr_Occurred() ? -1 : 0;
}

// How many arguments a function written in Python takes, self included. -1 with an exception.
long argument_count(const char* module, const char* type, const char* function) {
  const Ref owner(import_from(module, type));
  const Ref method(owner ? PyObject_GetAttrString(owner.get(), function) : nullptr);
  const Ref code(method ? PyObject_GetAttrString(method.get(), "__code__") : nullptr);
  const Ref count(code ? PyObject_GetAttrString(code.get(), "co_argcount") : nullptr);
  return count ? PyLong_AsLong(count.get()) : -1;
}

int import_what_transports_use(ModuleState* state) {
  state->context_names = Py_BuildValue("(s)", "context");
  state->transports_module = PyImport_ImportModule("asyncio.transports");
  state->protocols_module = PyImport_ImportModule("asyncio.protocols");
  state->trsock_module = PyImport_ImportModule("asyncio.trsock");
  state->socket_module = PyImport_ImportModule("socket");
  const long attach_arguments = argument_count("asyncio.base_events", "Server", "_attach");
  state->server_takes_transport = attach_arguments == 2;
  const bool complete = state->context_names && state->transports_module &&
                        state->protocols_module && state->trsock_module && state->socket_module;
  return complete && attach_arguments > 0 ? import_stream_classes(state) : -1;
}

// _asyncio.Future; None on a Python that does without the accelerator.
PyObject* import_c_future() {
  PyObject* type = import_from("_asyncio", "Future");
  if (type || !PyErr_ExceptionMatches(PyExc_ImportError))
    return type;
  PyErr_Clear();
  return Py_NewRef(Py_None);
}

int import_what_is_used(ModuleState* state) {
  state->selector_event_loop = import_from("asyncio", "SelectorEventLoop");
  state->stock_methods =
      state->selector_event_loop ? record_stock_methods(state->selector_event_loop) : nullptr;
  state->futures_module = PyImport_ImportModule("asyncio.futures");
  state->tasks_module = PyImport_ImportModule("asyncio.tasks");
  state->extract_stack = import_from("asyncio.format_helpers", "extract_stack");
  state->heappush = import_from("heapq", "heappush");
  state->deque = import_from("collections", "deque");
  state->time_module = PyImport_ImportModule("time");
  state->monotonic = import_from("time", "monotonic");
  state->get_running_loop = import_from("asyncio.events", "_get_running_loop");
  state->set_running_loop = import_from("asyncio.events", "_set_running_loop");
  state->loop_kwnames = Py_BuildValue("(s)", "loop");
  state->c_future = import_c_future();
  state->no_arguments = PyTuple_New(0);
  state->future_keywords = PyDict_New();
  const bool complete = state->stock_methods && state->futures_module && state->tasks_module &&
                        state->extract_stack && state->heappush && state->deque &&
                        state->time_module && state->monotonic && state->get_running_loop &&
                        state->set_running_loop && state->loop_kwnames && state->c_future &&
                        state->no_arguments && state->future_keywords;
  return complete ? find_task_signature(state) : -1;
}

int module_exec(PyObject* module) {
  ModuleState* state = get_state(module);
  if (intern_names(state->names) < 0 || import_what_is_used(state) < 0 ||
      import_what_transports_use(state) < 0)
    return -1;
  if (add_handle_types(module, state) < 0 || add_socket_state(module, state) < 0 ||
      add_loop_type(module, state) < 0) {
    return -1;
  }
  if (add_socket_transport_type(module, state) < 0 ||
      add_datagram_transport_type(module, state) < 0 ||
      add_pipe_transport_types(module, state) < 0) {
    return -1;
  }
  return add_tls_types(module, state);
}

int module_traverse(PyObject* module, visitproc visit, void* arg) {
  ModuleState* state = get_state(module);
  for (PyObject* object : {reinterpret_cast<PyObject*>(state->handle_type),
                           reinterpret_cast<PyObject*>(state->timer_handle_type),
                           reinterpret_cast<PyObject*>(state->thread_safe_handle_type),
                           reinterpret_cast<PyObject*>(state->loop_type),
                           reinterpret_cast<PyObject*>(state->socket_transport_type),
                           reinterpret_cast<PyObject*>(state->datagram_transport_type),
                           reinterpret_cast<PyObject*>(state->read_pipe_type),
                           reinterpret_cast<PyObject*>(state->write_pipe_type),
                           state->transports_module,
                           state->protocols_module,
                           state->trsock_module,
                           state->socket_module,
                           reinterpret_cast<PyObject*>(state->streams.protocol),
                           reinterpret_cast<PyObject*>(state->streams.reader),
                           state->selector_event_loop,
                           state->stock_methods,
                           state->futures_module,
                           state->tasks_module,
                           state->extract_stack,
                           state->heappush,
                           state->deque,
                           state->time_module,
                           state->monotonic,
                           state->get_running_loop,
                           state->set_running_loop}) {
    Py_VISIT(object);
  }
  if (const int stop = visit_socket_state(state->sockets, visit, arg))
    return stop;
  return tls_state_traverse(&state->tls, visit, arg);
}

int module_clear(PyObject* module) {
  ModuleState* state = get_state(module);
  clear_free_lists(state);
  clear_socket_state(state->sockets);
  tls_state_clear(&state->tls);
  Py_CLEAR(state->handle_type);
  Py_CLEAR(state->timer_handle_type);
  Py_CLEAR(state->thread_safe_handle_type);
  Py_CLEAR(state->loop_type);
  Py_CLEAR(state->socket_transport_type);
  Py_CLEAR(state->datagram_transport_type);
  Py_CLEAR(state->read_pipe_type);
  Py_CLEAR(state->write_pipe_type);
  Py_CLEAR(state->transports_module);
  Py_CLEAR(state->protocols_module);
  Py_CLEAR(state->trsock_module);
  Py_CLEAR(state->socket_module);
  Py_CLEAR(state->context_names);
  Py_CLEAR(state->streams.protocol);
  Py_CLEAR(state->streams.reader);
  Py_CLEAR(state->streams.data_received);
  Py_CLEAR(state->streams.feed_data);
  Py_CLEAR(state->selector_event_loop);
  Py_CLEAR(state->stock_methods);
  Py_CLEAR(state->futures_module);
  Py_CLEAR(state->tasks_module);
  Py_CLEAR(state->extract_stack);
  Py_CLEAR(state->heappush);
  Py_CLEAR(state->deque);
  Py_CLEAR(state->time_module);
  Py_CLEAR(state->monotonic);
  Py_CLEAR(state->get_running_loop);
  Py_CLEAR(state->set_running_loop);
  Py_CLEAR(state->loop_kwnames);
  Py_CLEAR(state->c_future);
  Py_CLEAR(state->no_arguments);
  Py_CLEAR(state->future_keywords);
  Py_CLEAR(state->context_kwnames);
  Py_CLEAR(state->task_kwnames);
  Py_CLEAR(state->task_kwnames_with_loop);
  for (const NameField& name : kNames)
    Py_CLEAR(state->names.*name.field);
  return 0;
}

void module_free(void* module) {
  module_clear(static_cast<PyObject*>(module));
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "loopgauge._core",
    "The built-in event loop's engine: LoopBase, Handle and TimerHandle.",
    sizeof(ModuleState),
    nullptr,
    module_slots,
    module_traverse,
    module_clear,
    module_free,
};

} // namespace

PyModuleDef* module_definition() {
  return &definition;
}

} // namespace loopgauge::py

PyMODINIT_FUNC PyInit__core() {
  return PyModuleDef_Init(loopgauge::py::module_definition());
}
