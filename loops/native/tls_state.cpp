// What the record pump looks up in ssl and asyncio.sslproto.

#include "loops/native/tls_state.hpp"

#include "loops/native/pyref.hpp"
#include "loops/native/state.hpp"

namespace loopgauge::py {
namespace {

struct NameField {
  const char* text;
  PyObject* TlsNames::*field;
};
constexpr NameField kNames[] = {
    {"_call_eof_received", &TlsNames::call_eof_received},
    {"_control_app_writing", &TlsNames::control_app_writing},
    {"_control_ssl_reading", &TlsNames::control_ssl_reading},
    {"_do_flush", &TlsNames::do_flush},
    {"_do_handshake", &TlsNames::do_handshake},
    {"_do_read", &TlsNames::do_read},
    {"_do_shutdown", &TlsNames::do_shutdown},
    {"_do_write", &TlsNames::do_write},
    {"_fatal_error", &TlsNames::fatal_error},
    {"_process_outgoing", &TlsNames::process_outgoing},
    {"_ssl_protocol", &TlsNames::ssl_protocol},
    {"_sslobj", &TlsNames::ssl_socket},
    {"_start_shutdown", &TlsNames::start_shutdown},
    {"_write_appdata", &TlsNames::write_appdata},
    {"buffer_updated", &TlsNames::buffer_updated},
    {"call_soon", &TlsNames::call_soon},
    {"data_received", &TlsNames::data_received},
    {"get_buffer", &TlsNames::get_buffer},
    {"pending", &TlsNames::pending},
    {"read", &TlsNames::read},
    {"write", &TlsNames::write},
};

struct StateField {
  const char* text;
  PyObject* TlsState::*field;
};
constexpr StateField kStates[] = {
    {"DO_HANDSHAKE", &TlsState::do_handshake},
    {"WRAPPED", &TlsState::wrapped},
    {"FLUSHING", &TlsState::flushing},
    {"SHUTDOWN", &TlsState::shutdown},
};

int look_up_names(TlsNames& names) {
  for (const NameField& name : kNames) {
    names.*name.field = PyUnicode_InternFromString(name.text);
    if (!(names.*name.field))
      return -1;
  }
  return 0;
}

int look_up_states(TlsState& tls, PyObject* sslproto) {
  const Ref states(PyObject_GetAttrString(sslproto, "SSLProtocolState"));
  for (const StateField& member : kStates) {
    tls.*member.field = states ? PyObject_GetAttrString(states.get(), member.text) : nullptr;
    if (!(tls.*member.field))
      return -1;
  }
  return 0;
}

int look_up_ssl(TlsState& tls, PyObject* sslproto) {
  const Ref ssl(PyObject_GetAttrString(sslproto, "ssl"));
  if (!ssl)
    return -1;
  if (ssl.get() == Py_None) {
    PyErr_SetString(PyExc_RuntimeError, "stdlib ssl module not available");
    return -1;
  }
  tls.again = PyObject_GetAttrString(sslproto, "SSLAgainErrors");
  tls.ssl_object_type = PyObject_GetAttrString(ssl.get(), "SSLObject");
  tls.memory_bio_type = PyObject_GetAttrString(ssl.get(), "MemoryBIO");
  if (!tls.again || !tls.ssl_object_type || !tls.memory_bio_type)
    return -1;
  tls.ssl_object_read = PyObject_GetAttrString(tls.ssl_object_type, "read");
  tls.ssl_object_write = PyObject_GetAttrString(tls.ssl_object_type, "write");
  return tls.ssl_object_read && tls.ssl_object_write ? 0 : -1;
}

// All references but the types, which are there from the import on.
template <class Visit>
int for_each_reference(TlsState* tls, Visit visit) {
  for (PyObject** object :
       {&tls->spare_window, &tls->stock, &tls->again, &tls->ssl_object_type, &tls->ssl_object_read,
        &tls->ssl_object_write, &tls->memory_bio_type, &tls->do_handshake, &tls->wrapped,
        &tls->flushing, &tls->shutdown, &tls->zero}) {
    if (const int stop = visit(object))
      return stop;
  }
  return 0;
}

void clear_lookups(TlsState* tls) {
  for_each_reference(tls, [](PyObject** object) {
    Py_CLEAR(*object);
    return 0;
  });
  for (const NameField& name : kNames)
    Py_CLEAR(tls->names.*name.field);
}

} // namespace

int look_up_tls(ModuleState* state) {
  TlsState& tls = state->tls;
  if (tls.stock)
    return 0;
  const Ref sslproto(PyImport_ImportModule("asyncio.sslproto"));
  const Ref stock(sslproto ? PyObject_GetAttrString(sslproto.get(), "SSLProtocol") : nullptr);
  tls.zero = PyLong_FromLong(0);
  if (!stock || !tls.zero || look_up_names(tls.names) < 0 || look_up_ssl(tls, sslproto.get()) < 0 ||
      look_up_states(tls, sslproto.get()) < 0) {
    clear_lookups(&tls);
    return -1;
  }
  tls.stock = Py_NewRef(stock.get());
  return 0;
}

int tls_state_traverse(TlsState* tls, visitproc visit, void* arg) {
  Py_VISIT(tls->protocol_type);
  Py_VISIT(tls->transport_type);
  Py_VISIT(tls->window_type);
  return for_each_reference(tls,
                            [&](PyObject** object) { return *object ? visit(*object, arg) : 0; });
}

void tls_state_clear(TlsState* tls) {
  clear_lookups(tls);
  Py_CLEAR(tls->protocol_type);
  Py_CLEAR(tls->transport_type);
  Py_CLEAR(tls->window_type);
}

} // namespace loopgauge::py
