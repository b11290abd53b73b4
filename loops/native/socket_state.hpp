// What the sock_* methods and getaddrinfo() look up once per import of the module.
#pragma once

#include <Python.h>

namespace loopgauge::py {

struct SocketState {
  PyTypeObject* op_type; // SocketOp: an operation that waits; see socket_op.hpp

  PyTypeObject* socket_class; // socket.socket
  unsigned int socket_tag;    // its tp_version_tag when its methods were last compared
  bool was_genuine;           // they were CPython's own at import
  bool is_pristine;           // and still were when they were last compared
  PyObject* methods;          // its methods at import, by name
  PyObject* family;           // member descriptors of _socket.socket: the plain numbers, which the
  PyObject* type;             // properties of socket.socket turn into enum members (0.5 us each)
  PyObject* proto;

  PyObject* socket_module;
  PyObject* getaddrinfo; // socket.getaddrinfo at import; None if that was already a replacement
  PyObject* shapes;      // dict: what getaddrinfo() answers for a literal, but for address and port

  PyObject* name_done;
  PyObject* name_fileno;
  PyObject* name_getaddrinfo;
  PyObject* name_gettimeout;
  PyObject* name_set_exception;
  PyObject* name_set_result;
};

struct ModuleState;
/// Fills `state->sockets` and makes its type. -1 with an exception.
int add_socket_state(PyObject* module, ModuleState* state);
int visit_socket_state(SocketState& state, visitproc visit, void* arg);
void clear_socket_state(SocketState& state);

/// True for an exact socket.socket none of whose methods has been replaced: then the system calls
/// can be made on its descriptor. Subclasses (ssl.SSLSocket is one) and patched classes are
/// CPython's to handle. Never sets an exception.
bool is_plain_socket(SocketState& state, PyObject* object);

} // namespace loopgauge::py
