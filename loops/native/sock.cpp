// The sock_*() methods: one system call each, made with the GIL held, because none can block.
//
// CPython's socket methods give the GIL away around every call, which costs 60 ns alone and a
// switch interval beside a thread that computes. What is not plain (other buffers than bytes-like
// ones of single bytes, names instead of addresses, families other than IP and Unix, debug mode) is
// answered with NotImplemented: CPython's own method does it, and raises what it raises.

#include <cerrno>
#include <sys/socket.h>

#include "loops/native/address.hpp"
#include "loops/native/socket_op.hpp"
#include "loops/native/transport.hpp"

namespace loopgauge::py {
namespace {

// What one call can receive; more is CPython's. A bytes object of the asked size that is shrunk
// afterwards costs up to four times the copy out of the loop's buffer.
constexpr Py_ssize_t kMaxSize = ReadBuffer::kSize;

// After a failed call: null, with OSError unless it only has to be made again later.
PyObject* failed() {
  return would_block(errno) ? nullptr : PyErr_SetFromErrno(PyExc_OSError);
}

PyObject* not_implemented() {
  return Py_NewRef(Py_NotImplemented);
}

// A number of a _socket.socket, read by its member descriptor.
int member(PyObject* descriptor, PyObject* sock) {
  const Ref value(Py_TYPE(descriptor)
                      ->tp_descr_get(descriptor, sock, reinterpret_cast<PyObject*>(Py_TYPE(sock))));
  const long number = value ? PyLong_AsLong(value.get()) : -1;
  PyErr_Clear();
  return static_cast<int>(number);
}

// Bytes-like with len(buffer) equal to its number of bytes.
bool counts_bytes(PyObject* buffer) {
  if (PyBytes_CheckExact(buffer) || PyByteArray_CheckExact(buffer))
    return true;
  if (!PyMemoryView_Check(buffer))
    return false;
  const Py_buffer* view = PyMemoryView_GET_BUFFER(buffer);
  return view->itemsize == 1 && view->ndim == 1;
}

// A buffer for the time of one attempt.
struct Buffer {
  Py_buffer view{};
  explicit Buffer(PyObject* object, int flags) {
    if (PyObject_GetBuffer(object, &view, flags) < 0)
      view.obj = nullptr;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (view.obj)
      PyBuffer_Release(&view);
  }
  explicit operator bool() const { return view.obj != nullptr; }
};

// ---- attempts -----------------------------------------------------------------------------------

PyObject* attempt_recv(SocketCall& call) {
  char* buffer = call.loop->reading.shared();
  if (!buffer)
    return nullptr;
  const ssize_t got = ::recv(call.fd, buffer, static_cast<std::size_t>(call.size), MSG_DONTWAIT);
  return got < 0 ? failed() : PyBytes_FromStringAndSize(buffer, got);
}

PyObject* attempt_recv_into(SocketCall& call) {
  const Buffer buffer(call.argument, PyBUF_WRITABLE);
  if (!buffer)
    return nullptr;
  const ssize_t got =
      ::recv(call.fd, buffer.view.buf, static_cast<std::size_t>(buffer.view.len), MSG_DONTWAIT);
  return got < 0 ? failed() : PyLong_FromSsize_t(got);
}

// (result, address); steals `result`.
PyObject* with_address(PyObject* result, const SocketAddress& address) {
  const Ref owned(result);
  const Ref from(owned ? address_to_python(address) : nullptr);
  return from ? PyTuple_Pack(2, owned.get(), from.get()) : nullptr;
}

PyObject* attempt_recvfrom(SocketCall& call) {
  char* buffer = call.loop->reading.shared();
  if (!buffer)
    return nullptr;
  SocketAddress from;
  const ssize_t got = ::recvfrom(call.fd, buffer, static_cast<std::size_t>(call.size), MSG_DONTWAIT,
                                 from.get(), &from.size);
  return got < 0 ? failed() : with_address(PyBytes_FromStringAndSize(buffer, got), from);
}

PyObject* attempt_recvfrom_into(SocketCall& call) {
  const Buffer buffer(call.argument, PyBUF_WRITABLE);
  if (!buffer)
    return nullptr;
  if (call.size > buffer.view.len) {
    PyErr_SetString(PyExc_ValueError, "nbytes is greater than the length of the buffer");
    return nullptr;
  }
  SocketAddress from;
  const ssize_t got = ::recvfrom(call.fd, buffer.view.buf, static_cast<std::size_t>(call.size),
                                 MSG_DONTWAIT, from.get(), &from.size);
  return got < 0 ? failed() : with_address(PyLong_FromSsize_t(got), from);
}

// One send per event, as CPython's loop: a fast reader does not keep the others waiting.
PyObject* attempt_sendall(SocketCall& call) {
  const auto* data = static_cast<const char*>(call.buffer.buf);
  const ssize_t sent = ::send(call.fd, data + call.sent,
                              static_cast<std::size_t>(call.buffer.len - call.sent), MSG_DONTWAIT);
  if (sent < 0)
    return failed();
  call.sent += sent;
  return call.sent == call.buffer.len ? Py_NewRef(Py_None) : nullptr;
}

PyObject* attempt_sendto(SocketCall& call) {
  SocketAddress to;
  const int family = member(call.loop->state->sockets.family, call.sock);
  const Buffer buffer(call.argument, PyBUF_SIMPLE);
  if (!buffer)
    return nullptr;
  if (!address_from_python(call.address, family, &to)) {
    PyErr_SetString(PyExc_OSError, "the address has changed");
    return nullptr;
  }
  if (PySys_Audit("socket.sendto", "OO", call.sock, call.address) < 0)
    return nullptr;
  const ssize_t sent = ::sendto(call.fd, buffer.view.buf, static_cast<std::size_t>(buffer.view.len),
                                MSG_DONTWAIT, to.get(), to.size);
  return sent < 0 ? failed() : PyLong_FromSsize_t(sent);
}

// (socket, address) of a connection; takes over `fd`.
PyObject* accepted(const SocketCall& call, int fd, const SocketAddress& from) {
  const SocketState& state = call.loop->state->sockets;
  // SOCK_NONBLOCK in the type tells the constructor that the descriptor has it already.
  const Ref sock(PyObject_CallFunction(
      reinterpret_cast<PyObject*>(state.socket_class), "iiii", member(state.family, call.sock),
      member(state.type, call.sock) | SOCK_NONBLOCK, member(state.proto, call.sock), fd));
  if (!sock) {
    ::close(fd);
    return nullptr;
  }
  return with_address(Py_NewRef(sock.get()), from);
}

PyObject* attempt_accept(SocketCall& call) {
  SocketAddress from;
  const int fd = ::accept4(call.fd, from.get(), &from.size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return fd < 0 ? failed() : accepted(call, fd, from);
}

// The first attempt connects, the later ones ask how it went.
PyObject* attempt_connect(SocketCall& call) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(call.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
    return PyErr_SetFromErrno(PyExc_OSError);
  if (error == 0)
    Py_RETURN_NONE;
  if (would_block(error) || error == EINPROGRESS || error == EALREADY)
    return nullptr;
  const Ref text(PyUnicode_FromFormat("Connect call failed %S", call.address));
  const Ref exception(text ? PyObject_CallFunction(PyExc_OSError, "iO", error, text.get())
                           : nullptr);
  if (exception)
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  return nullptr;
}

PyObject* attempt_first_connect(SocketCall& call) {
  call.attempt = attempt_connect;
  SocketAddress to;
  if (!address_from_python(call.address, member(call.loop->state->sockets.family, call.sock),
                           &to) ||
      PySys_Audit("socket.connect", "OO", call.sock, call.address) < 0) {
    return nullptr;
  }
  if (::connect(call.fd, to.get(), to.size) == 0)
    Py_RETURN_NONE;
  return errno == EINPROGRESS ? nullptr : failed();
}

// (host, port) or (host, port, flowinfo, scope_id). New reference.
PyObject* resolved_address(PyObject* address, const SocketAddress& to) {
  if (to.storage.ss_family == AF_INET || PyTuple_GET_SIZE(address) == 4)
    return Py_NewRef(address);
  const Ref zero(PyLong_FromLong(0));
  PyObject* flow = PyTuple_GET_SIZE(address) > 2 ? PyTuple_GET_ITEM(address, 2) : zero.get();
  return zero ? PyTuple_Pack(4, PyTuple_GET_ITEM(address, 0), PyTuple_GET_ITEM(address, 1), flow,
                             zero.get())
              : nullptr;
}

// ---- methods ------------------------------------------------------------------------------------

SocketCall make_call(Attempt attempt, Side side, PyObject* sock) {
  SocketCall call{};
  call.attempt = attempt;
  call.side = side;
  call.sock = sock;
  return call;
}

bool wrong_count(Py_ssize_t nargs, Py_ssize_t wanted) {
  if (nargs == wanted)
    return false;
  PyErr_Format(PyExc_TypeError, "takes %zd arguments, not %zd", wanted, nargs);
  return true;
}

// A size that can be received natively. 0 asks nothing of the kernel in CPython's methods.
bool fits_buffer(PyObject* object, Py_ssize_t* size) {
  unsigned long number = 0;
  if (!small_number(object, static_cast<unsigned long>(kMaxSize), &number) || number == 0)
    return false;
  *size = static_cast<Py_ssize_t>(number);
  return true;
}

bool has_known_family(PyObject* self, PyObject* sock) {
  return is_known_family(member(as_loop(self)->state->sockets.family, sock));
}

PyObject* try_recv(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 2))
    return nullptr;
  SocketCall call = make_call(attempt_recv, Side::reader, args[0]);
  if (!may_be_native(self, args[0]) || !fits_buffer(args[1], &call.size))
    return not_implemented();
  return start_socket_call(self, call);
}

// The size of a buffer that can be received into, or 0: it is CPython's to refuse.
Py_ssize_t writable_size(PyObject* object) {
  const Buffer buffer(object, PyBUF_WRITABLE);
  PyErr_Clear();
  return buffer ? buffer.view.len : 0;
}

PyObject* try_recv_into(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 2))
    return nullptr;
  SocketCall call = make_call(attempt_recv_into, Side::reader, args[0]);
  call.argument = args[1];
  if (!may_be_native(self, args[0]) || writable_size(args[1]) == 0)
    return not_implemented();
  return start_socket_call(self, call);
}

PyObject* try_recvfrom(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 2))
    return nullptr;
  SocketCall call = make_call(attempt_recvfrom, Side::reader, args[0]);
  if (!may_be_native(self, args[0]) || !fits_buffer(args[1], &call.size) ||
      !has_known_family(self, args[0])) {
    return not_implemented();
  }
  return start_socket_call(self, call);
}

PyObject* try_recvfrom_into(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 3))
    return nullptr;
  SocketCall call = make_call(attempt_recvfrom_into, Side::reader, args[0]);
  call.argument = args[1];
  unsigned long size = 0;
  if (!may_be_native(self, args[0]) || !has_known_family(self, args[0]) || !counts_bytes(args[1]) ||
      !small_number(args[2], PY_SSIZE_T_MAX, &size)) {
    return not_implemented();
  }
  const Py_ssize_t room = writable_size(args[1]);
  call.size = size ? static_cast<Py_ssize_t>(size) : room;
  if (call.size == 0 || call.size > room)
    return not_implemented();
  return start_socket_call(self, call);
}

PyObject* try_sendall(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 2))
    return nullptr;
  SocketCall call = make_call(attempt_sendall, Side::writer, args[0]);
  if (!may_be_native(self, args[0]) || !counts_bytes(args[1]))
    return not_implemented();
  if (PyObject_GetBuffer(args[1], &call.buffer, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    return not_implemented();
  }
  return start_socket_call(self, call);
}

PyObject* try_sendto(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 3))
    return nullptr;
  SocketCall call = make_call(attempt_sendto, Side::writer, args[0]);
  call.argument = args[1];
  call.address = args[2];
  if (!may_be_native(self, args[0]) || !counts_bytes(args[1]))
    return not_implemented();
  SocketAddress to;
  const int family = member(as_loop(self)->state->sockets.family, args[0]);
  if (!address_from_python(args[2], family, &to))
    return not_implemented();
  return start_socket_call(self, call);
}

PyObject* try_accept(PyObject* self, PyObject* sock) {
  SocketCall call = make_call(attempt_accept, Side::reader, sock);
  // accept() has no MSG_DONTWAIT, so a blocking socket must not come this far.
  if (!may_be_native(self, sock) || !has_known_family(self, sock) ||
      !is_non_blocking(as_loop(self)->state->sockets, sock)) {
    return not_implemented();
  }
  return start_socket_call(self, call);
}

PyObject* try_connect(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (wrong_count(nargs, 2))
    return nullptr;
  SocketCall call = make_call(attempt_first_connect, Side::writer, args[0]);
  call.address = args[1];
  if (!may_be_native(self, args[0]))
    return not_implemented();
  SocketState& state = as_loop(self)->state->sockets;
  SocketAddress to;
  if (!address_from_python(args[1], member(state.family, args[0]), &to) ||
      !is_non_blocking(state, args[0])) {
    return not_implemented();
  }
  // The address as CPython resolves it: with all four parts for IPv6, which errors quote.
  const Ref resolved(resolved_address(args[1], to));
  if (!resolved)
    return nullptr;
  call.address = resolved.get();
  return start_socket_call(self, call);
}

} // namespace

PyMethodDef sock_methods[] = {
    {"_try_recv", as_method(try_recv), METH_FASTCALL, nullptr},
    {"_try_recv_into", as_method(try_recv_into), METH_FASTCALL, nullptr},
    {"_try_recvfrom", as_method(try_recvfrom), METH_FASTCALL, nullptr},
    {"_try_recvfrom_into", as_method(try_recvfrom_into), METH_FASTCALL, nullptr},
    {"_try_sendall", as_method(try_sendall), METH_FASTCALL, nullptr},
    {"_try_sendto", as_method(try_sendto), METH_FASTCALL, nullptr},
    {"_try_accept", try_accept, METH_O, nullptr},
    {"_try_connect", as_method(try_connect), METH_FASTCALL, nullptr},
    {},
};

} // namespace loopgauge::py
