// DatagramTransport: construction, information about the socket, and the type.

#include <new>

#include "loops/native/datagram.hpp"

namespace loopgauge::py {
namespace {

// ---- what the kind does ------------------------------------------------------------------------

std::size_t buffered(const Transport* transport) {
  return static_cast<const DatagramTransport*>(transport)->queued;
}

void drop_buffer(Transport* transport) {
  forget_datagrams(as_datagram(transport));
}

int flush(Transport*) {
  return 0; // nothing is held back
}

int lost(Transport* transport) {
  forget_datagrams(as_datagram(transport));
  forget_peers(as_datagram(transport));
  return 0;
}

// Made when somebody asks for it: the reference would have every datagram ask whether the socket is
// open still.
PyObject* info(Transport* transport, PyObject* name) {
  if (!transport->sock || !PyUnicode_Check(name) ||
      PyUnicode_CompareWithASCIIString(name, "socket") != 0)
    return nullptr;
  const ModuleState* state = state_of(Py_TYPE(transport));
  Ref wrapped(PyObject_CallMethod(state->trsock_module, "TransportSocket", "O", transport->sock));
  if (!wrapped || PyDict_SetItem(transport->extra, name, wrapped.get()) < 0)
    return nullptr;
  return wrapped.release();
}

int visit(Transport* transport, visitproc visit, void* arg) {
  const DatagramTransport* datagram = as_datagram(transport);
  Py_VISIT(datagram->address);
  for (const Datagram& queued : datagram->queue)
    Py_VISIT(queued.address);
  return 0;
}

void clear(Transport* transport) {
  (void)lost(transport);
  Py_CLEAR(as_datagram(transport)->address);
}

void destroy(Transport* transport) {
  as_datagram(transport)->queue.~deque();
}

constexpr TransportKind kKind{buffered, buffered, drop_buffer, nullptr, flush,
                              lost,     info,     visit,       clear,   destroy};

// ---- construction ------------------------------------------------------------------------------

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
  Transport* transport = new_transport(type, &kKind);
  if (!transport)
    return nullptr;
  new (&as_datagram(transport)->queue) std::deque<Datagram>();
  return as_object(transport);
}

// extra[key] = sock.method(), or None where the system says no.
int keep_name(DatagramTransport* transport, const char* key, const char* method) {
  Ref name(PyObject_CallMethod(transport->sock, method, nullptr));
  if (!name && PyErr_ExceptionMatches(PyExc_OSError)) {
    PyErr_Clear();
    name = Ref::borrow(Py_None);
  }
  return name ? PyDict_SetItemString(transport->extra, key, name.get()) : -1;
}

int keep_names(DatagramTransport* transport) {
  if (!transport->extra && !(transport->extra = PyDict_New()))
    return -1;
  if (keep_name(transport, "sockname", "getsockname") < 0)
    return -1;
  const Ref key(PyUnicode_InternFromString("peername"));
  const int known = key ? PyDict_Contains(transport->extra, key.get()) : -1;
  if (known < 0 || (known == 0 && keep_name(transport, "peername", "getpeername") < 0))
    return -1;
  PyObject* peername = PyDict_GetItemWithError(transport->extra, key.get());
  const int connected = peername ? PyObject_IsTrue(peername) : -1;
  transport->connected = connected == 1;
  return connected < 0 ? -1 : 0;
}

int start(DatagramTransport* transport, PyObject* address, PyObject* waiter) {
  if (address) {
    const int given = PyObject_IsTrue(address);
    if (given < 0)
      return -1;
    transport->address = given ? Py_NewRef(address) : nullptr;
  }
  return keep_names(transport) < 0 ? -1 : schedule_start(transport, waiter);
}

// DatagramTransport(loop, sock, protocol, address=None, waiter=None, extra=None)
int init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"loop",   "sock",  "protocol", "address",
                                      "waiter", "extra", nullptr};
  PyObject *loop, *sock, *protocol, *address = nullptr, *waiter = nullptr, *extra = nullptr;
  DatagramTransport* transport = as_datagram(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO|OOO:DatagramTransport",
                                   const_cast<char**>(names), state_of(Py_TYPE(self))->loop_type,
                                   &loop, &sock, &protocol, &address, &waiter, &extra))
    return -1;
  if (refuse_second_init(transport) < 0)
    return -1;
  const Ref number(PyObject_CallMethod(sock, "fileno", nullptr));
  const long fd = number ? PyLong_AsLong(number.get()) : -1;
  const long family = int_attribute(sock, "family");
  if (PyErr_Occurred())
    return -1;
  if (fd < 0)
    return raise_os_error(EBADF);
  transport->family = static_cast<int>(family);
  if (init_transport(transport, as_loop(loop), static_cast<int>(fd), protocol, extra, nullptr,
                     nullptr) == 0) {
    keep_socket(transport, sock);
    if (start(transport, address, waiter) == 0)
      return 0;
  }
  let_go(transport);
  return -1;
}

// ---- methods -----------------------------------------------------------------------------------

// sendto(data, addr=None)
PyObject* sendto(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject *data, *address = Py_None;
  if (!kwnames && (nargs == 1 || nargs == 2)) [[likely]] {
    data = args[0];
    if (nargs == 2)
      address = args[1];
    return none_or_error(send_datagram(as_datagram(self), data, address));
  }
  static const char* const names[] = {"data", "addr", nullptr};
  const Ref positional(PyTuple_New(nargs)), keywords(PyDict_New());
  if (!positional || !keywords)
    return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i)
    PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i) {
    if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
      return nullptr;
  }
  if (!PyArg_ParseTupleAndKeywords(positional.get(), keywords.get(), "O|O:sendto",
                                   const_cast<char**>(names), &data, &address))
    return nullptr;
  return none_or_error(send_datagram(as_datagram(self), data, address));
}

PyObject* read_ready(PyObject* self, PyObject*) {
  return none_or_error(receive_ready(as_datagram(self)));
}

PyObject* sendto_ready(PyObject* self, PyObject*) {
  return none_or_error(send_ready(as_datagram(self)));
}

PyObject* get_sock(PyObject* self, void*) {
  PyObject* sock = as_datagram(self)->sock;
  return Py_NewRef(sock ? sock : Py_None);
}

PyObject* get_address(PyObject* self, void*) {
  PyObject* address = as_datagram(self)->address;
  return Py_NewRef(address ? address : Py_None);
}

const PyMethodDef methods[] = {
    {"sendto", as_method(sendto), METH_FASTCALL | METH_KEYWORDS,
     "sendto($self, /, data, addr=None)\n--\n\nSends a datagram, or keeps it until it can be "
     "sent."},
    {"_read_ready", read_ready, METH_NOARGS, nullptr},
    {"_sendto_ready", sendto_ready, METH_NOARGS, nullptr},
    {},
};

const PyGetSetDef attributes[] = {
    {"_sock", get_sock, nullptr, nullptr, nullptr},
    {"_address", get_address, nullptr, nullptr, nullptr},
    {},
};

} // namespace

int add_datagram_transport_type(PyObject* module, ModuleState* state) {
  const Ref mixin(PyObject_GetAttrString(state->transports_module, "_FlowControlMixin"));
  const Ref own(PyObject_GetAttrString(state->transports_module, "DatagramTransport"));
  const Ref bases(mixin && own ? PyTuple_Pack(2, mixin.get(), own.get()) : nullptr);
  const Ref size(PyLong_FromSize_t(ReadBuffer::kSize));
  if (!bases || !size)
    return -1;
  state->datagram_transport_type =
      make_transport_type(module, "loopgauge._core.DatagramTransport", sizeof(DatagramTransport),
                          "A UDP or Unix datagram socket of the built-in loop.", create, init,
                          methods, attributes, bases.get());
  return state->datagram_transport_type
             ? PyObject_SetAttrString(reinterpret_cast<PyObject*>(state->datagram_transport_type),
                                      "max_size", size.get())
             : -1;
}

} // namespace loopgauge::py
