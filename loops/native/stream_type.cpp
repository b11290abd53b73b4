// SocketTransport: construction, information about the connection, and the type.

#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>

#include "loops/native/address.hpp"
#include "loops/native/stream.hpp"

namespace loopgauge::py {

PyObject* stream_write(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* stream_writelines(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                            PyObject* kwnames);
PyObject* stream_write_eof(PyObject* self, PyObject*);
PyObject* stream_write_ready(PyObject* self, PyObject*);
std::size_t stream_buffered(const Transport* transport);
std::size_t stream_unsent(const Transport* transport);
void stream_drop_buffer(Transport* transport);
int stream_flush(Transport* transport);
int stream_lost(Transport* transport);

namespace {

// ---- addresses ---------------------------------------------------------------------------------

using NameFunction = int (*)(int, sockaddr*, socklen_t*);

// Asked while the socket is certainly open: later the peer may be gone. None where there is none.
int keep_name(SocketTransport* transport, const char* key, NameFunction function, RawAddress* raw) {
  SocketAddress name;
  const bool known = function(transport->fd, name.get(), &name.size) == 0;
  const sa_family_t family = name.storage.ss_family;
  if (known && (family == AF_INET || family == AF_INET6) && name.size <= sizeof(raw->bytes)) {
    raw->size = static_cast<std::uint8_t>(name.size);
    std::memcpy(raw->bytes, &name.storage, name.size);
    return 0;
  }
  Ref value;
  if (!known)
    value = Ref::borrow(Py_None);
  else if (family == AF_UNIX)
    value = Ref(address_to_python(name));
  else
    value = Ref(PyObject_CallMethod(
        transport->sock, function == ::getsockname ? "getsockname" : "getpeername", nullptr));
  if (!transport->extra)
    transport->extra = PyDict_New();
  return value && transport->extra && PyDict_SetItemString(transport->extra, key, value.get()) == 0
             ? 0
             : -1;
}

int keep_names(SocketTransport* transport, const RawAddress* peername) {
  if (transport->family != AF_INET && transport->family != AF_INET6 && !transport->extra &&
      !(transport->extra = PyDict_New()))
    return -1;
  if (keep_name(transport, "sockname", ::getsockname, &transport->sockname) < 0)
    return -1;
  if (peername) {
    transport->peername = *peername;
    return 0;
  }
  if (transport->extra) {
    const Ref key(PyUnicode_InternFromString("peername"));
    const int known = key ? PyDict_Contains(transport->extra, key.get()) : -1;
    if (known != 0)
      return known < 0 ? -1 : 0;
  }
  return keep_name(transport, "peername", ::getpeername, &transport->peername);
}

// ---- the Python socket -------------------------------------------------------------------------

// The socket object of a connection that the loop itself accepted, when somebody asks for it. One
// of a lost connection is closed.
PyObject* python_socket(SocketTransport* transport) {
  if (transport->sock)
    return transport->sock;
  const ModuleState* state = state_of(Py_TYPE(transport));
  const bool open = transport->fd >= 0;
  const Ref sock(open ? PyObject_CallMethod(state->socket_module, "socket", "iiii",
                                            transport->family, SOCK_STREAM, transport->proto,
                                            transport->fd)
                      : PyObject_CallMethod(state->socket_module, "socket", "ii", transport->family,
                                            SOCK_STREAM));
  const Ref done(sock ? open ? PyObject_CallMethod(sock.get(), "setblocking", "O", Py_False)
                             : PyObject_CallMethod(sock.get(), "close", nullptr)
                      : nullptr);
  if (!done)
    return nullptr;
  if (!open)
    return Py_NewRef(sock.get());
  keep_socket(transport, sock.get());
  return transport->sock;
}

PyObject* transport_socket(SocketTransport* transport) {
  const bool open = transport->fd >= 0;
  PyObject* sock = python_socket(transport);
  if (!sock)
    return nullptr;
  const ModuleState* state = state_of(Py_TYPE(transport));
  const Ref wrapped(PyObject_CallMethod(state->trsock_module, "TransportSocket", "O", sock));
  if (!open)
    Py_DECREF(sock);
  if (!transport->extra)
    transport->extra = PyDict_New(); // the next one who asks gets the same object
  if (!wrapped || !transport->extra ||
      PyDict_SetItemString(transport->extra, "socket", wrapped.get()) < 0)
    return nullptr;
  return Py_NewRef(wrapped.get());
}

PyObject* known_name(const RawAddress& name) {
  return name.size ? address_to_python(reinterpret_cast<const sockaddr*>(name.bytes), name.size)
                   : nullptr;
}

PyObject* info(Transport* transport, PyObject* name) {
  SocketTransport* stream = as_stream(transport);
  if (!PyUnicode_Check(name))
    return nullptr;
  if (PyUnicode_CompareWithASCIIString(name, "peername") == 0)
    return known_name(stream->peername);
  if (PyUnicode_CompareWithASCIIString(name, "sockname") == 0)
    return known_name(stream->sockname);
  if (PyUnicode_CompareWithASCIIString(name, "socket") == 0)
    return transport_socket(stream);
  return nullptr;
}

// ---- life --------------------------------------------------------------------------------------

int visit(Transport* transport, visitproc visit, void* arg) {
  Py_VISIT(as_stream(transport)->empty_waiter);
  return 0;
}

void clear(Transport* transport) {
  Py_CLEAR(as_stream(transport)->empty_waiter);
}

void destroy(Transport* transport) {
  as_stream(transport)->queue.~WriteQueue();
}

int protocol_changed(Transport* transport) {
  return choose_reading(as_stream(transport));
}

constexpr TransportKind kKind{stream_buffered,
                              stream_unsent,
                              stream_drop_buffer,
                              protocol_changed,
                              stream_flush,
                              stream_lost,
                              info,
                              visit,
                              clear,
                              destroy};

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
  Transport* transport = new_transport(type, &kKind);
  if (!transport)
    return nullptr;
  new (&as_stream(transport)->queue) WriteQueue();
  return as_object(transport);
}

int start(SocketTransport* transport, LoopBase* loop, int fd, int family, PyObject* sock,
          const RawAddress* peername, PyObject* protocol, PyObject* waiter, PyObject* extra,
          PyObject* server, PyObject* context) {
  if (init_transport(transport, loop, fd, protocol, extra, server, context) < 0)
    return -1;
  transport->family = static_cast<std::int16_t>(family);
  if (sock)
    keep_socket(transport, sock);
  if (keep_names(transport, peername) < 0 || choose_reading(transport) < 0)
    return -1;
  return schedule_start(transport, waiter);
}

// -1 with errno if it is no socket.
int socket_option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

// SocketTransport(loop, sock, protocol, waiter=None, extra=None, server=None, context=None)
int init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"loop",  "sock",   "protocol", "waiter",
                                      "extra", "server", "context",  nullptr};
  PyObject *loop, *sock, *protocol, *waiter = nullptr, *extra = nullptr, *server = nullptr,
                                    *context = nullptr;
  SocketTransport* transport = as_stream(self);
  ModuleState* state = state_of(Py_TYPE(self));
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO|OOOO:SocketTransport",
                                   const_cast<char**>(names), state->loop_type, &loop, &sock,
                                   &protocol, &waiter, &extra, &server, &context))
    return -1;
  if (refuse_second_init(transport) < 0)
    return -1;
  const Ref number(PyObject_CallMethod(sock, "fileno", nullptr));
  const long fd = number ? PyLong_AsLong(number.get()) : -1;
  const long proto = int_attribute(sock, "proto");
  if (PyErr_Occurred())
    return -1;
  // The kernel is asked, because `sock.family` and `sock.type` make enumerations in Python (2 us).
  const int descriptor = static_cast<int>(fd);
  const int family = socket_option(descriptor, SO_DOMAIN);
  if (fd < 0 || family < 0)
    return raise_os_error(fd < 0 ? EBADF : errno);
  if (socket_option(descriptor, SO_TYPE) == SOCK_STREAM &&
      set_nodelay(descriptor, family, static_cast<int>(proto)) < 0)
    return -1;
  if (start(transport, as_loop(loop), descriptor, family, sock, nullptr, protocol, waiter, extra,
            server, context) == 0)
    return 0;
  let_go(transport);
  return -1;
}

// ---- methods -----------------------------------------------------------------------------------

PyObject* read_ready_method(PyObject* self, PyObject*) {
  if (read_ready(as_stream(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* can_write_eof(PyObject*, PyObject*) {
  Py_RETURN_TRUE;
}

PyObject* make_empty_waiter(PyObject* self, PyObject*) {
  SocketTransport* transport = as_stream(self);
  if (transport->empty_waiter) {
    PyErr_SetString(PyExc_RuntimeError, "Empty waiter is already set");
    return nullptr;
  }
  if (stream_flush(transport) < 0)
    return nullptr;
  PyObject* loop = transport->loop ? reinterpret_cast<PyObject*>(transport->loop)
                                   : Py_None; // as CPython's error
  Ref waiter(PyObject_CallMethod(loop, "create_future", nullptr));
  if (!waiter)
    return nullptr;
  transport->empty_waiter = Py_NewRef(waiter.get());
  if (transport->queue.empty()) {
    const Ref done(PyObject_CallMethod(waiter.get(), "set_result", "O", Py_None));
    if (!done)
      return nullptr;
  }
  return waiter.release();
}

PyObject* reset_empty_waiter(PyObject* self, PyObject*) {
  Py_CLEAR(as_stream(self)->empty_waiter);
  Py_RETURN_NONE;
}

PyObject* get_sock(PyObject* self, void*) {
  SocketTransport* transport = as_stream(self);
  return transport->fd < 0 ? Py_NewRef(Py_None) : Py_XNewRef(python_socket(transport));
}

PyObject* get_eof(PyObject* self, void*) {
  return PyBool_FromLong(as_stream(self)->eof);
}

PyObject* get_empty_waiter(PyObject* self, void*) {
  PyObject* waiter = as_stream(self)->empty_waiter;
  return Py_NewRef(waiter ? waiter : Py_None);
}

const PyMethodDef methods[] = {
    {"write", as_method(stream_write), METH_FASTCALL | METH_KEYWORDS,
     "write($self, data)\n--\n\nSends the bytes, or keeps them until they can be sent."},
    {"writelines", as_method(stream_writelines), METH_FASTCALL | METH_KEYWORDS,
     "writelines($self, list_of_data)\n--\n\nwrite() of all of them."},
    {"write_eof", stream_write_eof, METH_NOARGS,
     "write_eof($self, /)\n--\n\nCloses the writing half when what was written is sent."},
    {"can_write_eof", can_write_eof, METH_NOARGS, "can_write_eof($self, /)\n--\n\nTrue."},
    {"_read_ready", read_ready_method, METH_NOARGS, nullptr},
    {"_write_ready", stream_write_ready, METH_NOARGS, nullptr},
    {"_make_empty_waiter", make_empty_waiter, METH_NOARGS, nullptr},
    {"_reset_empty_waiter", reset_empty_waiter, METH_NOARGS, nullptr},
    {},
};

const PyGetSetDef attributes[] = {
    {"_sock", get_sock, nullptr, nullptr, nullptr},
    {"_eof", get_eof, nullptr, nullptr, nullptr},
    {"_empty_waiter", get_empty_waiter, nullptr, nullptr, nullptr},
    {},
};

// What start_tls() and sendfile() ask of a transport's class.
int add_seams(PyTypeObject* type) {
  const Ref constants(PyImport_ImportModule("asyncio.constants"));
  const Ref mode(constants ? PyObject_GetAttrString(constants.get(), "_SendfileMode") : nullptr);
  const Ref native(mode ? PyObject_GetAttrString(mode.get(), "TRY_NATIVE") : nullptr);
  const Ref size(PyLong_FromSize_t(ReadBuffer::kSize));
  auto* object = reinterpret_cast<PyObject*>(type);
  return native && size && PyObject_SetAttrString(object, "_start_tls_compatible", Py_True) == 0 &&
                 PyObject_SetAttrString(object, "_sendfile_compatible", native.get()) == 0 &&
                 PyObject_SetAttrString(object, "max_size", size.get()) == 0
             ? 0
             : -1;
}

} // namespace

int set_nodelay(int fd, int family, int proto) {
  const int on = 1;
  if ((family != AF_INET && family != AF_INET6) || proto != IPPROTO_TCP ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0)
    return 0;
  return raise_os_error(errno);
}

PyObject* new_socket_transport(LoopBase* loop, int fd, int family, int proto,
                               const RawAddress* peername, PyObject* protocol, PyObject* server,
                               PyObject* context) {
  Ref self(create(loop->state->socket_transport_type, nullptr, nullptr));
  if (!self)
    return nullptr;
  as_stream(self.get())->proto = static_cast<std::int16_t>(proto);
  if (start(as_stream(self.get()), loop, fd, family, nullptr, peername, protocol, nullptr, nullptr,
            server, context) < 0) {
    let_go(as_stream(self.get()));
    return nullptr;
  }
  return self.release();
}

int add_socket_transport_type(PyObject* module, ModuleState* state) {
  const Ref base(PyObject_GetAttrString(state->transports_module, "_FlowControlMixin"));
  const Ref bases(base ? PyTuple_Pack(1, base.get()) : nullptr);
  if (!bases)
    return -1;
  state->socket_transport_type =
      make_transport_type(module, "loopgauge._core.SocketTransport", sizeof(SocketTransport),
                          "A TCP or Unix stream connection of the built-in loop.", create, init,
                          methods, attributes, bases.get());
  return state->socket_transport_type ? add_seams(state->socket_transport_type) : -1;
}

} // namespace loopgauge::py
