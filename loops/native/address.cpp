#include "loops/native/address.hpp"

#include <arpa/inet.h>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

constexpr unsigned long kMaxPort = 65535;
constexpr unsigned long kMaxFlowInfo = 0xfffff; // 20 bits; CPython refuses more
constexpr unsigned long kMaxScope = 0xffff'ffff;

PyObject* ipv4_to_python(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  if (!::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text))
    return PyErr_SetFromErrno(PyExc_OSError);
  return Py_BuildValue("(si)", text, static_cast<int>(ntohs(address.sin_port)));
}

PyObject* ipv6_to_python(const sockaddr_in6& address) {
  char text[INET6_ADDRSTRLEN];
  if (!::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text))
    return PyErr_SetFromErrno(PyExc_OSError);
  return Py_BuildValue("(siII)", text, static_cast<int>(ntohs(address.sin6_port)),
                       static_cast<unsigned int>(ntohl(address.sin6_flowinfo)),
                       static_cast<unsigned int>(address.sin6_scope_id));
}

// An abstract name (it begins with a null byte) is bytes of the length the kernel says; a path ends
// at its null byte.
PyObject* unix_to_python(const sockaddr_un& address, socklen_t size) {
  const auto length =
      static_cast<Py_ssize_t>(size) - static_cast<Py_ssize_t>(offsetof(sockaddr_un, sun_path));
  if (length > 0 && address.sun_path[0] == '\0')
    return PyBytes_FromStringAndSize(address.sun_path, length);
  return PyUnicode_DecodeFSDefault(address.sun_path);
}

const char* ascii_text(PyObject* host) {
  if (!PyUnicode_CheckExact(host) || !PyUnicode_IS_ASCII(host))
    return nullptr;
  const auto* text = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(host));
  return static_cast<Py_ssize_t>(std::strlen(text)) == PyUnicode_GET_LENGTH(host)
             ? text
             : nullptr; // a null byte inside
}

bool fill_ipv4(const char* host, std::uint16_t port, SocketAddress* address) {
  auto& out = reinterpret_cast<sockaddr_in&>(address->storage);
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  address->size = sizeof out;
  return ::inet_pton(AF_INET, host, &out.sin_addr) == 1;
}

bool fill_ipv6(const char* host, std::uint16_t port, PyObject* tuple, SocketAddress* address) {
  unsigned long flow = 0, scope = 0;
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple);
  if (count > 2 && !small_number(PyTuple_GET_ITEM(tuple, 2), kMaxFlowInfo, &flow))
    return false;
  if (count > 3 && !small_number(PyTuple_GET_ITEM(tuple, 3), kMaxScope, &scope))
    return false;
  auto& out = reinterpret_cast<sockaddr_in6&>(address->storage);
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  out.sin6_flowinfo = htonl(static_cast<std::uint32_t>(flow));
  out.sin6_scope_id = static_cast<std::uint32_t>(scope);
  address->size = sizeof out;
  return ::inet_pton(AF_INET6, host, &out.sin6_addr) == 1;
}

} // namespace

bool small_number(PyObject* object, unsigned long limit, unsigned long* number) {
  if (!PyLong_CheckExact(object))
    return false;
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(object, &overflow);
  *number = static_cast<unsigned long>(value);
  return overflow == 0 && value >= 0 && *number <= limit;
}

bool is_known_family(int family) {
  return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

PyObject* address_to_python(const SocketAddress& address) {
  if (address.size == 0)
    Py_RETURN_NONE;
  return address_to_python(address.get(), address.size);
}

PyObject* address_to_python(const sockaddr* address, socklen_t size) {
  switch (address->sa_family) {
  case AF_INET:
    return ipv4_to_python(*reinterpret_cast<const sockaddr_in*>(address));
  case AF_INET6:
    return ipv6_to_python(*reinterpret_cast<const sockaddr_in6*>(address));
  default:
    return unix_to_python(*reinterpret_cast<const sockaddr_un*>(address), size);
  }
}

bool address_from_python(PyObject* tuple, int family, SocketAddress* address) {
  if (!PyTuple_CheckExact(tuple))
    return false;
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple);
  if (count < 2 || count > (family == AF_INET6 ? 4 : 2))
    return false;
  const char* host = ascii_text(PyTuple_GET_ITEM(tuple, 0));
  unsigned long port = 0;
  if (!host || !small_number(PyTuple_GET_ITEM(tuple, 1), kMaxPort, &port))
    return false;
  if (family == AF_INET)
    return fill_ipv4(host, static_cast<std::uint16_t>(port), address);
  return family == AF_INET6 && fill_ipv6(host, static_cast<std::uint16_t>(port), tuple, address);
}

} // namespace loopgauge::py
