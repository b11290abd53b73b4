#include "loops/native/socket_state.hpp"

#include "loops/native/pyref.hpp"
#include "loops/native/socket_op.hpp"
#include "loops/native/state.hpp"

namespace loopgauge::py {
namespace {

// Methods of socket.socket whose work is done without calling them.
constexpr const char* kReplaced[] = {"accept", "connect",   "fileno",   "gettimeout",
                                     "recv",   "recv_into", "recvfrom", "recvfrom_into",
                                     "send",   "sendto",    "__init__"};

// True for a function defined in the socket module itself: a patch lives elsewhere.
bool is_of_module(PyObject* function, PyObject* module) {
  return PyFunction_Check(function) && PyFunction_GetGlobals(function) == PyModule_GetDict(module);
}

// CPython's own: a C method of _socket.socket, or a function of socket.py.
bool is_genuine(PyObject* method, PyObject* base, PyObject* module, const char* name) {
  const Ref of_base(PyObject_GetAttrString(base, name));
  PyErr_Clear();
  return method == of_base.get() || is_of_module(method, module);
}

// {name: method} of the socket class now. New reference.
PyObject* current_methods(PyTypeObject* socket_class) {
  Ref methods(PyDict_New());
  for (const char* name : kReplaced) {
    const Ref method(PyObject_GetAttrString(reinterpret_cast<PyObject*>(socket_class), name));
    if (!methods || !method || PyDict_SetItemString(methods.get(), name, method.get()) < 0)
      return nullptr;
  }
  return methods.release();
}

bool have_changed(PyObject* before, PyObject* now) {
  for (const char* name : kReplaced) {
    if (PyDict_GetItemString(before, name) != PyDict_GetItemString(now, name))
      return true;
  }
  return false;
}

int find_socket_class(SocketState& state, PyObject* base) {
  Ref found(PyObject_GetAttrString(state.socket_module, "socket"));
  if (!found)
    return -1;
  state.was_genuine = PyType_Check(found.get());
  if (!state.was_genuine)
    found = Ref::borrow(base); // somebody's replacement: no object is exactly of this class
  state.socket_class = reinterpret_cast<PyTypeObject*>(found.release());
  state.methods = current_methods(state.socket_class);
  if (!state.methods)
    return -1;
  for (const char* name : kReplaced) {
    PyObject* method = PyDict_GetItemString(state.methods, name);
    state.was_genuine = state.was_genuine && is_genuine(method, base, state.socket_module, name);
  }
  state.is_pristine = state.was_genuine;
  state.socket_tag = state.socket_class->tp_version_tag;
  return 0;
}

int find_getaddrinfo(SocketState& state) {
  Ref found(PyObject_GetAttrString(state.socket_module, "getaddrinfo"));
  if (!found)
    return -1;
  if (!is_of_module(found.get(), state.socket_module))
    found = Ref::borrow(Py_None);
  state.getaddrinfo = found.release();
  return 0;
}

int intern_names(SocketState& state) {
  state.name_done = PyUnicode_InternFromString("done");
  state.name_fileno = PyUnicode_InternFromString("fileno");
  state.name_getaddrinfo = PyUnicode_InternFromString("getaddrinfo");
  state.name_gettimeout = PyUnicode_InternFromString("gettimeout");
  state.name_set_exception = PyUnicode_InternFromString("set_exception");
  state.name_set_result = PyUnicode_InternFromString("set_result");
  return PyErr_Occurred() ? -1 : 0;
}

} // namespace

int add_socket_state(PyObject* module, ModuleState* module_state) {
  SocketState& state = module_state->sockets;
  const Ref c_module(PyImport_ImportModule("_socket"));
  const Ref base(c_module ? PyObject_GetAttrString(c_module.get(), "socket") : nullptr);
  state.socket_module = base ? PyImport_ImportModule("socket") : nullptr;
  if (!state.socket_module || find_socket_class(state, base.get()) < 0)
    return -1;
  state.family = PyObject_GetAttrString(base.get(), "family");
  state.type = PyObject_GetAttrString(base.get(), "type");
  state.proto = PyObject_GetAttrString(base.get(), "proto");
  state.shapes = PyDict_New();
  if (!state.family || !state.type || !state.proto || !state.shapes)
    return -1;
  if (find_getaddrinfo(state) < 0 || intern_names(state) < 0)
    return -1;
  return add_socket_op_type(module, module_state);
}

int visit_socket_state(SocketState& state, visitproc visit, void* arg) {
  for (PyObject* object :
       {reinterpret_cast<PyObject*>(state.op_type), reinterpret_cast<PyObject*>(state.socket_class),
        state.methods, state.family, state.type, state.proto, state.socket_module,
        state.getaddrinfo, state.shapes}) {
    Py_VISIT(object);
  }
  return 0;
}

void clear_socket_state(SocketState& state) {
  Py_CLEAR(state.op_type);
  Py_CLEAR(state.socket_class);
  for (PyObject** object :
       {&state.methods, &state.family, &state.type, &state.proto, &state.socket_module,
        &state.getaddrinfo, &state.shapes, &state.name_done, &state.name_fileno,
        &state.name_getaddrinfo, &state.name_gettimeout, &state.name_set_exception,
        &state.name_set_result}) {
    Py_CLEAR(*object);
  }
}

bool is_plain_socket(SocketState& state, PyObject* object) {
  PyTypeObject* type = state.socket_class;
  if (!Py_IS_TYPE(object, type))
    return false;
  if (type->tp_version_tag != state.socket_tag || state.socket_tag == 0) {
    // The lookups give the type a tag again.
    const Ref now(current_methods(type));
    PyErr_Clear();
    state.is_pristine = state.was_genuine && now && !have_changed(state.methods, now.get());
    state.socket_tag = type->tp_version_tag;
  }
  return state.is_pristine;
}

} // namespace loopgauge::py
