// Accepting connections: a batch per event, no task and no Python socket for each.

#include <cstring>
#include <netinet/in.h>
#include <unistd.h>

#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

struct Listener {
  LoopBase* loop;
  int fd;
  PyObject* protocol_factory;
  PyObject* server;
  PyObject* context; // to be copied for each connection (3.15); null: none
  int family, proto;
};

// A protocol factory or constructor that fails costs its connection. CPython reports it in debug
// mode only, where its own code accepts.
int drop_connection(int fd) {
  (void)::close(fd);
  if (must_leave())
    return -1;
  PyErr_Clear();
  return 0;
}

int make_connection(const Listener& listener, int fd, const RawAddress* peername) {
  const Ref protocol(PyObject_CallNoArgs(listener.protocol_factory));
  if (!protocol)
    return drop_connection(fd);
  const Ref context(listener.context ? PyContext_Copy(listener.context) : nullptr);
  if (set_nodelay(fd, listener.family, listener.proto) < 0)
    return drop_connection(fd);
  const Ref transport(new_socket_transport(listener.loop, fd, listener.family, listener.proto,
                                           peername, protocol.get(), listener.server,
                                           context.get()));
  return transport ? 0 : drop_connection(fd);
}

// 1: there may be more, 0: no more, -1: an exception; OSError if it is accept's own.
int accept_one(const Listener& listener) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  const int fd = ::accept4(listener.fd, reinterpret_cast<sockaddr*>(&address), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == ECONNABORTED)
      return 1;
    return errno == EAGAIN || errno == EINTR ? 0 : raise_os_error(errno);
  }
  RawAddress peername;
  const bool is_inet = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  if (is_inet && size <= sizeof(peername.bytes)) {
    peername.size = static_cast<std::uint8_t>(size);
    std::memcpy(peername.bytes, &address, size);
  }
  return make_connection(listener, fd, is_inet ? &peername : nullptr) < 0 ? -1 : 1;
}

// _accept_batch(fd, family, proto, protocol_factory, server, limit, context or None)
// Raises OSError when the system refuses (EMFILE and the like), after what could be accepted.
PyObject* accept_batch(PyObject* self, PyObject* args) {
  int fd, family, proto, limit;
  PyObject *factory, *server, *context;
  if (!PyArg_ParseTuple(args, "iiiOOiO:_accept_batch", &fd, &family, &proto, &factory, &server,
                        &limit, &context))
    return nullptr;
  LoopBase* loop = as_loop(self);
  const Listener listener{loop,   fd,   factory, server, context == Py_None ? nullptr : context,
                          family, proto};
  // A factory that closes the server ends the batch: the number may be another's by now.
  const Ref watch = Ref::borrow(reinterpret_cast<PyObject*>(handle_at(loop, fd, Side::reader)));
  const auto is_watched = [&] {
    return reinterpret_cast<PyObject*>(handle_at(loop, fd, Side::reader)) == watch.get();
  };
  int more = 1;
  while (more == 1 && limit-- > 0 && is_watched())
    more = accept_one(listener);
  if (more < 0)
    return nullptr;
  Py_RETURN_NONE;
}

// ---- which transport has which descriptor: `_transports` ---------------------------------------

PyObject* native_transport(PyObject* self, PyObject* number) {
  const long fd = PyLong_AsLong(number);
  if (fd == -1 && PyErr_Occurred())
    return nullptr;
  Transport* transport = transport_of(as_loop(self), static_cast<int>(fd));
  return Py_NewRef(transport ? as_object(transport) : Py_None);
}

PyObject* native_transports(PyObject* self, PyObject*) {
  Ref list(PyList_New(0));
  for (Transport* transport : as_loop(self)->transports) {
    if (list && transport && PyList_Append(list.get(), as_object(transport)) < 0)
      return nullptr;
  }
  return list.release();
}

// _set_native_transport(fd, transport of this descriptor or None): sendfile() takes a transport out
// of `_transports` while it uses the socket itself.
PyObject* set_native_transport(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  LoopBase* loop = as_loop(self);
  const long fd = nargs == 2 ? PyLong_AsLong(args[0]) : -1;
  const bool known = fd >= 0 && static_cast<std::size_t>(fd) < loop->transports.size();
  const bool takes_out = nargs == 2 && args[1] == Py_None;
  const bool native =
      nargs == 2 && !takes_out &&
      Py_TYPE(args[1])->tp_dealloc == loop->state->socket_transport_type->tp_dealloc &&
      as_transport(args[1])->fd == fd && as_transport(args[1])->loop == loop;
  if (!known || (!takes_out && !native)) {
    if (!PyErr_Occurred())
      PyErr_SetString(PyExc_ValueError, "not the descriptor of a native transport");
    return nullptr;
  }
  Transport* transport = takes_out ? nullptr : as_transport(args[1]);
  if (!transport || !transport->closing)
    loop->transports[static_cast<std::size_t>(fd)] = transport;
  Py_RETURN_NONE;
}

} // namespace

PyMethodDef accept_methods[] = {
    {"_accept_batch", accept_batch, METH_VARARGS, nullptr},
    {"_native_transport", native_transport, METH_O, nullptr},
    {"_native_transports", native_transports, METH_NOARGS, nullptr},
    {"_set_native_transport", as_method(set_native_transport), METH_FASTCALL, nullptr},
    {},
};

} // namespace loopgauge::py
