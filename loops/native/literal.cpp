// getaddrinfo() of an address that is one already: no thread, no lookup.
//
// What the C library answers for a literal depends on the literal only in the address it repeats;
// which socket types and protocols it lists, and in which order, follows from the other arguments
// and is the library's own business. So it is asked once for each combination of them (without
// leave to look anything up), its answer is compared with the one made here, and kept. Everything
// that does not fit is not answered here: names, services by name, abbreviated IPv4 addresses,
// flags that depend on the host or on the machine's network.

#include <arpa/inet.h>
#include <cstring>
#include <netdb.h>

#include "loops/native/address.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

constexpr int kHarmlessFlags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
constexpr int kNoLookup = AI_NUMERICHOST | AI_NUMERICSERV;
constexpr unsigned long kMaxPort = 65535;
constexpr Py_ssize_t kMaxPortDigits = 5;
/// More combinations than a program uses.
constexpr Py_ssize_t kMaxShapes = 1024;

struct Request {
  PyObject* host;
  PyObject* port;
  long family, type, proto, flags;
  // Found out:
  bool is_ipv6;
  bool has_port;
  unsigned long port_number;
  char address[INET6_ADDRSTRLEN]; // as the library writes it
};

// The characters of an exact str or bytes that is ASCII, without a null byte inside. Null for
// everything else.
const char* plain_text(PyObject* object, Py_ssize_t* size) {
  const char* text = nullptr;
  if (PyUnicode_CheckExact(object) && PyUnicode_IS_ASCII(object)) {
    text = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(object));
    *size = PyUnicode_GET_LENGTH(object);
  } else if (PyBytes_CheckExact(object)) {
    text = PyBytes_AS_STRING(object);
    *size = PyBytes_GET_SIZE(object);
  }
  return text && static_cast<Py_ssize_t>(std::strlen(text)) == *size ? text : nullptr;
}

bool read_port(Request& request) {
  request.has_port = request.port != Py_None;
  if (!request.has_port || small_number(request.port, kMaxPort, &request.port_number))
    return true;
  Py_ssize_t size = 0;
  const char* text = plain_text(request.port, &size);
  if (!text || size == 0 || size > kMaxPortDigits)
    return false;
  request.port_number = 0;
  for (Py_ssize_t i = 0; i < size; ++i) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    request.port_number = 10 * request.port_number + static_cast<unsigned long>(text[i] - '0');
  }
  return request.port_number <= kMaxPort;
}

bool read_number(PyObject* object, long limit, long* number) {
  if (!PyLong_Check(object))
    return false;
  int overflow = 0;
  *number = PyLong_AsLongAndOverflow(object, &overflow);
  return overflow == 0 && *number >= 0 && *number <= limit;
}

bool read_numbers(Request& request, PyObject* const* args) {
  constexpr long kLimit = 255; // of each field of the key
  return read_number(args[0], kLimit, &request.family) &&
         read_number(args[1], kLimit, &request.type) &&
         read_number(args[2], kLimit, &request.proto) &&
         read_number(args[3], kHarmlessFlags, &request.flags) &&
         (request.flags & ~kHarmlessFlags) == 0;
}

bool read_host(Request& request) {
  Py_ssize_t size = 0;
  const char* text = plain_text(request.host, &size);
  if (!text)
    return false;
  in6_addr address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text, &address) == 1) {
      request.is_ipv6 = family == AF_INET6;
      return ::inet_ntop(family, &address, request.address, sizeof request.address) != nullptr;
    }
  }
  return false;
}

PyObject* shape_key(const Request& request) {
  const std::uint64_t key = static_cast<std::uint64_t>(request.is_ipv6) |
                            static_cast<std::uint64_t>(request.has_port) << 1 |
                            static_cast<std::uint64_t>(request.family) << 8 |
                            static_cast<std::uint64_t>(request.type) << 16 |
                            static_cast<std::uint64_t>(request.proto) << 24 |
                            static_cast<std::uint64_t>(request.flags) << 32;
  return PyLong_FromUnsignedLongLong(key);
}

PyObject* socket_address(const Request& request) {
  return request.is_ipv6 ? Py_BuildValue("(skii)", request.address, request.port_number, 0, 0)
                         : Py_BuildValue("(sk)", request.address, request.port_number);
}

// socket.getaddrinfo() for what needs no lookup. New reference, or null without an exception: an
// error is for the real call to raise.
PyObject* ask_library(SocketState& state, const Request& request) {
  PyObject* answer =
      PyObject_CallFunction(state.getaddrinfo, "OOllll", request.host, request.port, request.family,
                            request.type, request.proto, request.flags | kNoLookup);
  PyErr_Clear();
  return answer;
}

// A copy of the answer whose entries lack the address; None if they are not of the form expected.
PyObject* learn_shape(SocketState& state, const Request& request) {
  const Ref answer(ask_library(state, request));
  const Ref address(socket_address(request));
  if (!address)
    return nullptr;
  if (!answer || !PyList_CheckExact(answer.get()))
    Py_RETURN_NONE;
  const Py_ssize_t count = PyList_GET_SIZE(answer.get());
  Ref shape(PyTuple_New(count));
  for (Py_ssize_t i = 0; shape && i < count; ++i) {
    PyObject* entry = PyList_GET_ITEM(answer.get(), i);
    if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 5)
      Py_RETURN_NONE;
    const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(entry, 4), address.get(), Py_EQ);
    if (same != 1)
      return same < 0 ? nullptr : Py_NewRef(Py_None);
    PyTuple_SET_ITEM(shape.get(), i, Py_NewRef(entry));
  }
  return shape.release();
}

// Raises the event that socket.getaddrinfo() would. -1 with a hook's exception.
int audit(const Request& request) {
  return PySys_Audit("socket.getaddrinfo", "OOlll", request.host, request.port, request.family,
                     request.type, request.proto);
}

// Borrowed; None: not to be answered here. Null with an exception. Audited: by the library's own
// function when it was asked.
PyObject* shape_of(SocketState& state, const Request& request) {
  const Ref key(shape_key(request));
  PyObject* known = key ? PyDict_GetItemWithError(state.shapes, key.get()) : nullptr;
  if (known)
    return known == Py_None || audit(request) == 0 ? known : nullptr;
  if (PyErr_Occurred())
    return nullptr;
  if (PyDict_GET_SIZE(state.shapes) >= kMaxShapes)
    return Py_None;
  const Ref learned(learn_shape(state, request));
  if (!learned || PyDict_SetItem(state.shapes, key.get(), learned.get()) < 0)
    return nullptr;
  return learned.get(); // the dictionary keeps it
}

PyObject* answer_from(PyObject* shape, const Request& request) {
  const Ref address(socket_address(request));
  const Py_ssize_t count = PyTuple_GET_SIZE(shape);
  Ref answer(address ? PyList_New(count) : nullptr);
  for (Py_ssize_t i = 0; answer && i < count; ++i) {
    PyObject* like = PyTuple_GET_ITEM(shape, i);
    PyObject* entry =
        PyTuple_Pack(5, PyTuple_GET_ITEM(like, 0), PyTuple_GET_ITEM(like, 1),
                     PyTuple_GET_ITEM(like, 2), PyTuple_GET_ITEM(like, 3), address.get());
    if (!entry)
      return nullptr;
    PyList_SET_ITEM(answer.get(), i, entry);
  }
  return answer.release();
}

bool is_patched(SocketState& state) {
  return PyDict_GetItemWithError(PyModule_GetDict(state.socket_module), state.name_getaddrinfo) !=
         state.getaddrinfo;
}

// An address with a zone ("fe80::1%lo") is not written back as it came: the library does it.
bool may_have_zone(const Request& request) {
  Py_ssize_t size = 0;
  const char* text = plain_text(request.host, &size);
  return text && std::strchr(text, '%') && std::strchr(text, ':');
}

// True when this loop answers by itself at all.
bool answers(PyObject* self) {
  LoopBase* loop = as_loop(self);
  if (!is_fast(self) && refresh_overrides(loop) < 0)
    PyErr_Clear();
  return loop->flags == 0 && !is_patched(loop->state->sockets);
}

// _resolve_literal(host, port, family, type, proto, flags) -> what getaddrinfo() gives, or None.
PyObject* resolve_literal(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 6) {
    PyErr_SetString(PyExc_TypeError, "_resolve_literal(host, port, family, type, proto, flags)");
    return nullptr;
  }
  Request request{};
  request.host = args[0];
  request.port = args[1];
  if (!answers(self) || !read_port(request) || !read_numbers(request, args + 2))
    Py_RETURN_NONE;
  SocketState& state = as_loop(self)->state->sockets;
  if (!read_host(request)) {
    PyObject* answer = may_have_zone(request) ? ask_library(state, request) : nullptr;
    return answer ? answer : Py_NewRef(Py_None);
  }
  PyObject* shape = shape_of(state, request);
  if (!shape || shape == Py_None)
    return Py_XNewRef(shape);
  return answer_from(shape, request);
}

} // namespace

PyMethodDef literal_methods[] = {
    {"_resolve_literal", as_method(resolve_literal), METH_FASTCALL, nullptr},
    {},
};

} // namespace loopgauge::py
