// One sock_*() operation: the system call, tried at once, and again when the descriptor is ready.
//
// The Python half is a coroutine (loops/epoll/sockets.py): it calls a `_try_...` method, which
// gives the result if the call went through, NotImplemented where CPython's own method has to do
// it, or else a SocketOp to await. So there is no Future, no watcher and no BlockingIOError (0.7 us
// to make and to catch) for an operation that need not wait.
#pragma once

#include <Python.h>

#include "loops/native/address.hpp"
#include "loops/native/loop.hpp"

namespace loopgauge::py {

struct SocketCall;

/// Makes the system call, which never blocks. New reference; null without an exception when it
/// would block, null with one when it failed.
using Attempt = PyObject* (*)(SocketCall& call);

/// Everything an attempt needs. References are borrowed here and owned by a SocketOp.
struct SocketCall {
  Attempt attempt;
  Side side;      // what it waits for
  LoopBase* loop; // borrowed
  PyObject* sock;
  PyObject* argument; // a buffer, or the address to connect to; may be null
  PyObject* address;  // where to send to; may be null
  Py_ssize_t size;    // bytes wanted
  Py_ssize_t sent;    // bytes of `buffer` that are gone
  Py_buffer buffer;   // `buffer.obj` null: none is held
  int fd;
};

/// The waiting operation. Awaitable once; `stop()` ends it.
struct SocketOp {
  PyObject_HEAD vectorcallfunc vectorcall;
  LoopBase* loop; // strong; null once the operation is over
  PyObject* future;
  SocketCall call;
};

/// Tries `call`, whose `fd` is found here, and waits if it would block: result, NotImplemented,
/// SocketOp, or null with an exception. Takes over `call.buffer`.
PyObject* start_socket_call(PyObject* loop, SocketCall& call);

/// True when `sock` can be handled natively by this loop now.
bool may_be_native(PyObject* loop, PyObject* sock);

/// True if the socket's timeout is 0. Never sets an exception.
bool is_non_blocking(SocketState& state, PyObject* sock);

/// The socket's descriptor; -1 when it is closed, -2 with an exception.
int socket_fileno(SocketState& state, PyObject* sock);

int add_socket_op_type(PyObject* module, ModuleState* state);

} // namespace loopgauge::py
