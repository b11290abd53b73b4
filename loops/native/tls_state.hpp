// What the TLS half of the module looked up: types of its own, names, and CPython's constants.
#pragma once

#include <Python.h>

namespace loopgauge::py {

struct ModuleState;

/// Interned names of methods and attributes that the record pump uses.
struct TlsNames {
  PyObject* buffer_updated;
  PyObject* call_eof_received;
  PyObject* call_soon;
  PyObject* control_app_writing;
  PyObject* control_ssl_reading;
  PyObject* data_received;
  PyObject* do_flush;
  PyObject* do_handshake;
  PyObject* do_read;
  PyObject* do_shutdown;
  PyObject* do_write;
  PyObject* fatal_error;
  PyObject* get_buffer;
  PyObject* pending;
  PyObject* process_outgoing;
  PyObject* read;
  PyObject* ssl_protocol;
  PyObject* ssl_socket; // SSLObject._sslobj
  PyObject* start_shutdown;
  PyObject* write;
  PyObject* write_appdata;
};

/// Owned by ModuleState. The types are made at import; the rest when the first TLS connection is.
struct TlsState {
  PyTypeObject* protocol_type;
  PyTypeObject* transport_type;
  PyTypeObject* window_type;
  PyObject* spare_window;

  PyObject* stock; // asyncio.sslproto.SSLProtocol as it was at the first use; null: not looked up
  PyObject* again; // (ssl.SSLWantReadError, ssl.SSLSyscallError)
  PyObject* ssl_object_type; // ssl.SSLObject
  PyObject* ssl_object_read; // its methods in Python, which only call those in C
  PyObject* ssl_object_write;
  PyObject* memory_bio_type;
  // Members of SSLProtocolState.
  PyObject* do_handshake;
  PyObject* wrapped;
  PyObject* flushing;
  PyObject* shutdown;
  PyObject* zero; // "as much as the buffer holds"
  TlsNames names;
};

int add_tls_types(PyObject* module, ModuleState* state);
/// Imports ssl. -1 with RuntimeError, as SSLProtocol's constructor, where there is no ssl module.
int look_up_tls(ModuleState* state);
int tls_state_traverse(TlsState* state, visitproc visit, void* arg);
void tls_state_clear(TlsState* state);

} // namespace loopgauge::py
