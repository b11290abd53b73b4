// Datagram transports: UDP and Unix sockets, connected or not.
#pragma once

#include <Python.h>

#include <deque>

#include "loops/native/peer_cache.hpp"
#include "loops/native/transport.hpp"

namespace loopgauge::py {

/// What the kernel did not take. Strong references.
struct Datagram {
  PyObject* data;    // exact bytes
  PyObject* address; // as sendto() got it; None on a connected socket
};

struct DatagramTransport : Transport {
  std::deque<Datagram> queue;
  std::size_t queued; // bytes in `queue`, with the version's header for each
  PyObject* address;  // the only peer that sendto() accepts; null: any
  PyObject* peer;     // strong, immutable: of the datagram last sent or received
  SocketAddress peer_raw;
  const PeerCache::Entry* sender; // of the last datagram, in the loop's cache; borrowed
  int family;
  std::uint8_t single_reads; // events that are still read without looking for a second datagram
  bool connected;            // send() instead of sendto(): it has a peer name
};

inline DatagramTransport* as_datagram(PyObject* object) {
  return static_cast<DatagramTransport*>(as_transport(object));
}
inline DatagramTransport* as_datagram(Transport* transport) {
  return static_cast<DatagramTransport*>(transport);
}

/// Hands over what has arrived, up to a limit. -1 with an exception, the protocol's or one that
/// leaves the loop.
int receive_ready(DatagramTransport* transport);
/// sendto(). -1 with an exception.
int send_datagram(DatagramTransport* transport, PyObject* data, PyObject* address);
/// Sends from the queue until the kernel refuses. -1 with an exception.
int send_ready(DatagramTransport* transport);
/// Drops the queue and the addresses.
void forget_datagrams(DatagramTransport* transport);
void forget_peers(DatagramTransport* transport);

int add_datagram_transport_type(PyObject* module, ModuleState* state);

} // namespace loopgauge::py
