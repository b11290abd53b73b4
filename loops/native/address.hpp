// Socket addresses between the kernel and Python, as CPython's socket module writes them.
#pragma once

#include <Python.h>

#include <sys/socket.h>

namespace loopgauge::py {

/// One address and its length in bytes.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// True for the families that address_to_python() knows: IPv4, IPv6, Unix.
bool is_known_family(int family);

/// What socket.recvfrom() and accept() give for this address; None where the kernel gave none. New
/// reference, or null with an exception. The family must be known.
PyObject* address_to_python(const SocketAddress& address);
/// The same of an address anywhere in memory, which is not empty.
PyObject* address_to_python(const sockaddr* address, socklen_t size);

/// Fills `address` from a (host, port[, flowinfo, scope_id]) tuple whose host is a literal of the
/// family (IPv4 or IPv6). False, without an exception, for everything else: names, other families,
/// wrong types and numbers out of range are CPython's to resolve or to refuse.
bool address_from_python(PyObject* tuple, int family, SocketAddress* address);

/// An exact int within [0, limit]. False, without an exception, for everything else.
bool small_number(PyObject* object, unsigned long limit, unsigned long* number);

} // namespace loopgauge::py
