// TlsBase: the record pump of a TLS connection.
//
// `class SSLProtocol(TlsBase, asyncio.sslproto.SSLProtocol)` puts this type first in the MRO: what
// runs per packet is found here; handshake, shutdown, time limits, error texts and whatever else
// runs once per connection is CPython's own code of the running version. Both see one storage: the
// attributes that CPython's code assigns are data descriptors of this type.
//
// Cryptography is the standard ssl module's: each record is one call of the C methods that
// ssl.SSLObject and ssl.MemoryBIO wrap. What is saved is what surrounds them: Python frames, the
// 256 KiB that SSLObject.read() allocates for each record, the exception that ends each read
// (1.5 us), copies of what is left of a large write, and a 256 KiB buffer per connection.
#pragma once

#include <Python.h>

#include "loops/native/pyref.hpp"
#include "loops/native/state.hpp"

namespace loopgauge::py {

/// The largest plaintext of a TLS record (RFC 8446, 5.1).
inline constexpr Py_ssize_t kRecordSize = 16384;

/// A flow control limit: what was assigned, and its value. -1: not an int that fits, so that only
/// CPython's own comparison is right.
struct TlsLimit {
  PyObject* object;
  Py_ssize_t value;
};

struct TlsBase {
  PyObject_HEAD ModuleState* state; // kept alive by the type
  // Attributes of SSLProtocol. Strong references; null: not assigned yet.
  PyObject* loop;
  PyObject* app_protocol;
  PyObject* app_get_buffer;
  PyObject* app_buffer_updated;
  PyObject* transport;
  PyObject* ssl_state; // a member of SSLProtocolState
  PyObject* ssl_object;
  PyObject* incoming;
  PyObject* outgoing;
  PyObject* write_backlog; // deque of what could not be encrypted yet
  PyObject* receive_buffer;
  PyObject* receive_view;
  Py_ssize_t write_buffer_size; // bytes in the backlog
  TlsLimit incoming_high, incoming_low, outgoing_high, outgoing_low;
  bool app_protocol_is_buffer;
  bool app_reading_paused;
  bool app_writing_paused;
  bool ssl_reading_paused;
  bool ssl_writing_paused;

  // The C methods behind ssl_object, incoming and outgoing; all null unless each is exactly of the
  // standard library's type. Without them every method here leaves the work to CPython's.
  PyObject* decrypt; // _SSLSocket.read
  PyObject* encrypt; // _SSLSocket.write
  PyObject* feed;    // incoming.write
  PyObject* drain;   // outgoing.read
};

inline TlsBase* as_tls(PyObject* object) {
  return reinterpret_cast<TlsBase*>(object);
}
inline PyObject* as_object(TlsBase* tls) {
  return reinterpret_cast<PyObject*>(tls);
}
inline bool is_tls(const ModuleState* state, PyObject* object) {
  return PyObject_TypeCheck(object, state->tls.protocol_type);
}
inline bool is_wrapped(const TlsBase* tls) {
  return tls->ssl_state == tls->state->tls.wrapped;
}
inline bool has_c_methods(const TlsBase* tls) {
  return tls->decrypt && tls->feed && tls->drain;
}

// All functions below: 0, or -1 with an exception.

/// A transport's packet: `size` bytes of ciphertext, used only during the call. For the type that
/// is_tls() accepts; instead of get_buffer() and buffer_updated().
int tls_received(TlsBase* tls, const char* data, Py_ssize_t size);
/// SSLProtocol._do_read: decrypts what has arrived, and calls the application.
int tls_read(TlsBase* tls);
/// SSLProtocol._write_appdata for one object, which is bytes-like and not empty.
int tls_write(TlsBase* tls, PyObject* data);
/// SSLProtocol._do_write: encrypts the backlog and sends.
int tls_write_backlog(TlsBase* tls);
/// SSLProtocol._process_outgoing: hands ciphertext to the transport, unless it has paused us.
int tls_send(TlsBase* tls);

/// MemoryBIO.pending, or -1 with an exception.
Py_ssize_t tls_pending(const TlsBase* tls, PyObject* memory_bio);
/// CPython's own method. New reference, or null with an exception.
PyObject* call_stock_tls(TlsBase* tls, PyObject* name, PyObject* argument);
/// True if an exception is set that asks for more ciphertext; it is cleared then.
bool wants_more(const TlsState& state);
/// Hands an Exception that is set to _fatal_error(); others stay. -1 if one is set afterwards.
int tls_fatal(TlsBase* tls);

// One method table a file; tls_type.cpp joins them.
extern PyMethodDef tls_read_methods[];
extern PyMethodDef tls_write_methods[];
extern PyMethodDef tls_transport_methods[];

} // namespace loopgauge::py
