#include "loops/native/socket_op.hpp"

#include <cstddef>
#include <structmember.h> // PyMemberDef, before 3.12

#include "loops/native/transport.hpp"
#include "loops/native/watch_once.hpp"

namespace loopgauge::py {
namespace {

SocketOp* as_op(PyObject* object) {
  return reinterpret_cast<SocketOp*>(object);
}
PyObject* as_object(SocketOp* op) {
  return reinterpret_cast<PyObject*>(op);
}

void drop_references(SocketOp* op) {
  if (op->call.buffer.obj)
    PyBuffer_Release(&op->call.buffer);
  Py_CLEAR(op->call.sock);
  Py_CLEAR(op->call.argument);
  Py_CLEAR(op->call.address);
  Py_CLEAR(op->future);
  const Ref loop(reinterpret_cast<PyObject*>(std::exchange(op->loop, nullptr)));
}

// Ends the operation: no event reaches it any more. Idempotent; keeps an exception that is set.
void end(SocketOp* op) {
  if (!op->loop)
    return;
  const KeepException kept;
  unwatch_once(op->loop, op->call.fd, op->call.side, as_object(op));
  drop_references(op);
}

// Gives the coroutine what the attempt gave. -1 with an exception.
int settle(SocketState& names, PyObject* future, PyObject* result) {
  if (result) {
    const Ref done(PyObject_CallMethodOneArg(future, names.name_set_result, result));
    return done ? 0 : -1;
  }
  if (must_leave())
    return -1;
  const Ref exception(take_exception());
  const Ref done(PyObject_CallMethodOneArg(future, names.name_set_exception, exception.get()));
  return done ? 0 : -1;
}

int is_done(SocketState& names, PyObject* future) {
  const Ref done(PyObject_CallMethodNoArgs(future, names.name_done));
  return done ? PyObject_IsTrue(done.get()) : -1;
}

// The descriptor is ready. A future that was cancelled takes no data: it stays in the socket.
int on_event(SocketOp* op) {
  if (!op->loop)
    return 0;
  SocketState& names = op->loop->state->sockets;
  const int done = is_done(names, op->future);
  if (done != 0)
    return done < 0 ? -1 : 0;
  const int fd = socket_fileno(names, op->call.sock);
  if (fd == -2)
    return -1;
  // Closed meanwhile: the call fails as it does on any closed socket, and watching ends for the
  // number that was watched.
  const int watched = std::exchange(op->call.fd, fd);
  const Ref result(op->call.attempt(op->call));
  op->call.fd = watched;
  if (!op->loop)
    return 0; // stopped by a buffer written in Python
  if (!result && !PyErr_Occurred())
    return watch_again(op->loop, watched, op->call.side, as_object(op));
  const Ref future = Ref::borrow(op->future);
  end(op);
  return settle(names, future.get(), result.get());
}

PyObject* op_call(PyObject* self, PyObject* const*, std::size_t, PyObject*) {
  const Ref kept = Ref::borrow(self);
  if (on_event(as_op(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* op_await(PyObject* self) {
  PyObject* future = as_op(self)->future;
  if (!future) {
    PyErr_SetString(PyExc_RuntimeError, "the operation is over");
    return nullptr;
  }
  const PyAsyncMethods* methods = Py_TYPE(future)->tp_as_async;
  if (methods && methods->am_await)
    return methods->am_await(future);
  return PyObject_CallMethod(future, "__await__", nullptr);
}

PyObject* op_enter(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PyObject* op_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  end(as_op(self));
  Py_RETURN_NONE;
}

int op_traverse(PyObject* self, visitproc visit, void* arg) {
  SocketOp* op = as_op(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<PyObject*>(op->loop));
  Py_VISIT(op->future);
  Py_VISIT(op->call.sock);
  Py_VISIT(op->call.argument);
  Py_VISIT(op->call.address);
  Py_VISIT(op->call.buffer.obj);
  return 0;
}

int op_clear(PyObject* self) {
  drop_references(as_op(self));
  return 0;
}

void op_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  drop_references(as_op(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef op_methods[] = {
    {"__enter__", op_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe operation itself."},
    {"__exit__", as_method(op_exit), METH_FASTCALL,
     "__exit__($self, *error)\n--\n\nEnds the operation and stops watching the descriptor."},
    {},
};

// Takes over `call.buffer`.
SocketOp* new_op(LoopBase* loop, SocketCall& call) {
  PyTypeObject* type = loop->state->sockets.op_type;
  auto* op = reinterpret_cast<SocketOp*>(type->tp_alloc(type, 0));
  if (!op) {
    if (call.buffer.obj)
      PyBuffer_Release(&call.buffer);
    return nullptr;
  }
  op->vectorcall = op_call;
  op->loop = reinterpret_cast<LoopBase*>(Py_NewRef(as_object(loop)));
  op->call = call;
  call.buffer.obj = nullptr;
  Py_INCREF(op->call.sock);
  Py_XINCREF(op->call.argument);
  Py_XINCREF(op->call.address);
  return op;
}

PyObject* wait(LoopBase* loop, SocketCall& call) {
  const Ref owned(as_object(new_op(loop, call)));
  if (!owned)
    return nullptr;
  SocketOp* op = as_op(owned.get());
  op->future = create_future(loop);
  if (!op->future || refuse_transport_of(loop, op->call.fd) < 0)
    return drop_references(op), nullptr;
  if (watch_once(loop, op->call.fd, op->call.side, owned.get()) < 0)
    return drop_references(op), nullptr;
  return Ref::borrow(owned.get()).release();
}

} // namespace

bool may_be_native(PyObject* self, PyObject* sock) {
  LoopBase* loop = as_loop(self);
  if (!is_plain_socket(loop->state->sockets, sock))
    return false;
  if (!is_fast(self) && refresh_overrides(loop) < 0) {
    PyErr_Clear();
    return false;
  }
  return loop->flags == 0;
}

bool is_non_blocking(SocketState& state, PyObject* sock) {
  const Ref timeout(PyObject_CallMethodNoArgs(sock, state.name_gettimeout));
  const bool zero =
      timeout && PyFloat_Check(timeout.get()) && PyFloat_AS_DOUBLE(timeout.get()) == 0;
  PyErr_Clear();
  return zero;
}

int socket_fileno(SocketState& state, PyObject* sock) {
  const Ref number(PyObject_CallMethodNoArgs(sock, state.name_fileno));
  const long fd = number ? PyLong_AsLong(number.get()) : -2;
  return fd == -1 && PyErr_Occurred() ? -2 : static_cast<int>(fd);
}

PyObject* start_socket_call(PyObject* self, SocketCall& call) {
  LoopBase* loop = as_loop(self);
  call.loop = loop;
  call.fd = socket_fileno(loop->state->sockets, call.sock);
  PyObject* result = call.fd == -2 ? nullptr : call.attempt(call);
  const bool would_block = !result && !PyErr_Occurred();
  if (would_block && is_non_blocking(loop->state->sockets, call.sock))
    return wait(loop, call);
  if (call.buffer.obj)
    PyBuffer_Release(&call.buffer);
  // A blocking socket blocks, or times out, as it does on CPython's loop.
  return would_block ? Py_NewRef(Py_NotImplemented) : result;
}

int add_socket_op_type(PyObject* module, ModuleState* state) {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(SocketOp, vectorcall), READONLY, nullptr},
      {},
  };
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("A sock_*() operation that waits for its socket.")},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_members, members},
      {Py_tp_methods, op_methods},
      {Py_tp_traverse, reinterpret_cast<void*>(op_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(op_clear)},
      {Py_tp_dealloc, reinterpret_cast<void*>(op_dealloc)},
      {Py_am_await, reinterpret_cast<void*>(op_await)},
      {},
  };
  PyType_Spec spec{"loopgauge._core.SocketOp", sizeof(SocketOp), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                       Py_TPFLAGS_DISALLOW_INSTANTIATION,
                   slots};
  state->sockets.op_type =
      reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return state->sockets.op_type ? PyModule_AddType(module, state->sockets.op_type) : -1;
}

} // namespace loopgauge::py
