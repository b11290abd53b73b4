// Stream transports: TCP and Unix sockets, client and server.
#pragma once

#include <Python.h>

#include <sys/socket.h>

#include "loops/native/transport.hpp"
#include "loops/native/write_queue.hpp"

namespace loopgauge::py {

/// An address as the kernel wrote it. Enough for IPv4 and IPv6: Unix addresses are kept in Python.
struct RawAddress {
  std::uint8_t size = 0; // 0: not known
  alignas(4) unsigned char bytes[28];
};

enum class Reading : std::uint8_t {
  data,          // data_received()
  buffered,      // get_buffer() and buffer_updated()
  stream_reader, // asyncio's own StreamReaderProtocol: fed without a call (stream_reader.cpp)
  tls            // the record pump: fed without a buffer of its own (tls_read.cpp)
};

struct SocketTransport : Transport {
  WriteQueue queue;
  PyObject* empty_waiter; // future of sendfile(): set when everything is sent
  RawAddress sockname, peername;
  std::uint32_t held_back; // the newest bytes of `queue`, not yet offered to the kernel
  std::uint32_t direct; // size of reads straight into a bytes object; 0: through the shared buffer
  std::uint32_t bulk_turn;    // the loop's turn of the last large write
  std::uint8_t short_reads;   // in a row, of less than an eighth of `direct`
  std::int16_t family, proto; // AF_*, IPPROTO_*: for a socket that Python has not seen
  Reading reading;
  bool keeps; // the protocol kept the last bytes it was given
  bool eof;   // write_eof()
  bool ended; // eof_received() was called and kept the connection open
};

inline SocketTransport* as_stream(PyObject* object) {
  return static_cast<SocketTransport*>(as_transport(object));
}
inline SocketTransport* as_stream(Transport* transport) {
  return static_cast<SocketTransport*>(transport);
}

/// Small writes of a TCP socket leave without waiting for the acknowledgement of the last (Nagle's
/// algorithm). -1 with OSError; other sockets are left alone.
int set_nodelay(int fd, int family, int proto);

/// A connected stream socket that Python has not seen becomes a transport, which owns `fd`:
/// connection_made() and reading are scheduled. New reference, null with an exception; then `fd` is
/// the caller's still.
PyObject* new_socket_transport(LoopBase* loop, int fd, int family, int proto,
                               const RawAddress* peername, PyObject* protocol, PyObject* server,
                               PyObject* context);

/// Reads once and hands over what came. 0, or -1 with an exception that leaves the loop.
int read_ready(SocketTransport* transport);

/// SocketTransport.write() of bytes. 0, or -1 with an exception.
int stream_write_bytes(SocketTransport* transport, PyObject* bytes);

/// Which way the protocol takes its data. -1 with an exception.
int choose_reading(SocketTransport* transport);
/// True if the protocol is asyncio's StreamReaderProtocol as it comes.
bool can_feed_stream_reader(ModuleState* state, PyObject* protocol);
inline bool can_feed_stream_reader(Transport* transport) {
  return can_feed_stream_reader(state_of(Py_TYPE(transport)), transport->protocol);
}
/// Appends to the reader of asyncio's StreamReaderProtocol. 1: done, 0: not possible (the
/// protocol's data_received() must be called), -1 with an exception.
int feed_stream_reader(const ModuleState* state, PyObject* protocol, const char* data,
                       Py_ssize_t size);
inline int feed_stream_reader(Transport* transport, const char* data, Py_ssize_t size) {
  return feed_stream_reader(transport->loop->state, transport->protocol, data, size);
}
int import_stream_classes(ModuleState* state);

int add_socket_transport_type(PyObject* module, ModuleState* state);

extern PyMethodDef accept_methods[];

} // namespace loopgauge::py
