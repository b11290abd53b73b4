// The types TLSBase and TLSTransportBase: life cycle and attributes.

#include <cstddef>
#include <vector>

#include "loops/native/exceptions.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/memory_window.hpp"
#include "loops/native/tls.hpp"

namespace loopgauge::py {
namespace {

// Every reference a connection holds, for the garbage collector. The C methods come first: without
// them nothing here looks at the others.
template <class Visit>
int for_each_reference(TlsBase* tls, Visit visit) {
  for (PyObject** object : {&tls->decrypt,
                            &tls->encrypt,
                            &tls->feed,
                            &tls->drain,
                            &tls->loop,
                            &tls->app_protocol,
                            &tls->app_get_buffer,
                            &tls->app_buffer_updated,
                            &tls->transport,
                            &tls->ssl_state,
                            &tls->ssl_object,
                            &tls->incoming,
                            &tls->outgoing,
                            &tls->write_backlog,
                            &tls->receive_buffer,
                            &tls->receive_view,
                            &tls->incoming_high.object,
                            &tls->incoming_low.object,
                            &tls->outgoing_high.object,
                            &tls->outgoing_low.object}) {
    if (const int stop = visit(object))
      return stop;
  }
  return 0;
}

PyObject* tls_new(PyTypeObject* type, PyObject*, PyObject*) {
  auto* state = static_cast<ModuleState*>(
      PyModule_GetState(PyType_GetModuleByDef(type, module_definition())));
  if (look_up_tls(state) < 0)
    return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self)
    as_tls(self)->state = state;
  return self;
}

int tls_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return for_each_reference(as_tls(self),
                            [&](PyObject** object) { return *object ? visit(*object, arg) : 0; });
}

int tls_clear(PyObject* self) {
  return for_each_reference(as_tls(self), [](PyObject** object) {
    Py_CLEAR(*object);
    return 0;
  });
}

void tls_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  tls_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// ---- attributes -------------------------------------------------------------------------------

struct Field {
  const char* name;
  std::size_t offset;
};

const Field* field_of(void* closure) {
  return static_cast<const Field*>(closure);
}

template <class T>
T& at(PyObject* self, void* closure) {
  return *reinterpret_cast<T*>(reinterpret_cast<char*>(self) + field_of(closure)->offset);
}

PyObject* get_object(PyObject* self, void* closure) {
  PyObject* value = at<PyObject*>(self, closure);
  if (!value)
    PyErr_SetString(PyExc_AttributeError, field_of(closure)->name);
  return Py_XNewRef(value);
}

int refuse_deletion(PyObject* value, void* closure) {
  if (value)
    return 0;
  PyErr_Format(PyExc_AttributeError, "cannot delete %s", field_of(closure)->name);
  return -1;
}

int set_object(PyObject* self, PyObject* value, void* closure) {
  if (refuse_deletion(value, closure) < 0)
    return -1;
  Py_XSETREF(at<PyObject*>(self, closure), Py_NewRef(value));
  return 0;
}

PyObject* get_bool(PyObject* self, void* closure) {
  return PyBool_FromLong(at<bool>(self, closure));
}

int set_bool(PyObject* self, PyObject* value, void* closure) {
  const int truth = refuse_deletion(value, closure) < 0 ? -1 : PyObject_IsTrue(value);
  if (truth < 0)
    return -1;
  at<bool>(self, closure) = truth;
  return 0;
}

PyObject* get_size(PyObject* self, void* closure) {
  return PyLong_FromSsize_t(at<Py_ssize_t>(self, closure));
}

int set_size(PyObject* self, PyObject* value, void* closure) {
  if (refuse_deletion(value, closure) < 0)
    return -1;
  const Py_ssize_t size = PyLong_AsSsize_t(value);
  if (size == -1 && PyErr_Occurred())
    return -1;
  at<Py_ssize_t>(self, closure) = size;
  return 0;
}

PyObject* get_limit(PyObject* self, void* closure) {
  PyObject* value = at<TlsLimit>(self, closure).object;
  if (!value)
    PyErr_SetString(PyExc_AttributeError, field_of(closure)->name);
  return Py_XNewRef(value);
}

int set_limit(PyObject* self, PyObject* value, void* closure) {
  if (refuse_deletion(value, closure) < 0)
    return -1;
  TlsLimit& limit = at<TlsLimit>(self, closure);
  Py_XSETREF(limit.object, Py_NewRef(value));
  limit.value = PyLong_CheckExact(value) ? PyLong_AsSsize_t(value) : -1;
  PyErr_Clear();
  return 0;
}

// ---- the C methods behind the ssl objects -----------------------------------------------------

bool is_exactly(PyObject* object, PyObject* type) {
  return object && reinterpret_cast<PyObject*>(Py_TYPE(object)) == type;
}

// False also for a patched SSLObject.read or write, which has to be called.
bool has_original(PyObject* type, PyObject* name, PyObject* original) {
  const Ref current(PyObject_GetAttr(type, name));
  return current.get() == original;
}

// Looked up when the last of the three objects is assigned. -1 with an exception.
int bind_c_methods(TlsBase* tls) {
  const TlsState& state = tls->state->tls;
  for (PyObject** method : {&tls->decrypt, &tls->encrypt, &tls->feed, &tls->drain})
    Py_CLEAR(*method);
  if (!is_exactly(tls->ssl_object, state.ssl_object_type) ||
      !is_exactly(tls->incoming, state.memory_bio_type) ||
      !is_exactly(tls->outgoing, state.memory_bio_type) ||
      !has_original(state.ssl_object_type, state.names.read, state.ssl_object_read) ||
      !has_original(state.ssl_object_type, state.names.write, state.ssl_object_write)) {
    PyErr_Clear();
    return 0;
  }
  const Ref socket(PyObject_GetAttr(tls->ssl_object, state.names.ssl_socket));
  if (!socket)
    return -1;
  tls->decrypt = PyObject_GetAttr(socket.get(), state.names.read);
  tls->encrypt = PyObject_GetAttr(socket.get(), state.names.write);
  tls->feed = PyObject_GetAttr(tls->incoming, state.names.write);
  tls->drain = PyObject_GetAttr(tls->outgoing, state.names.read);
  const bool native = tls->decrypt && PyCFunction_Check(tls->decrypt) && tls->encrypt &&
                      PyCFunction_Check(tls->encrypt) && tls->feed && tls->drain;
  if (!native) {
    for (PyObject** method : {&tls->decrypt, &tls->encrypt, &tls->feed, &tls->drain})
      Py_CLEAR(*method);
  }
  return PyErr_Occurred() ? -1 : 0;
}

int set_ssl_object(PyObject* self, PyObject* value, void* closure) {
  return set_object(self, value, closure) < 0 ? -1 : bind_c_methods(as_tls(self));
}

constexpr Field kLoop{"_loop", offsetof(TlsBase, loop)};
constexpr Field kAppProtocol{"_app_protocol", offsetof(TlsBase, app_protocol)};
constexpr Field kAppGetBuffer{"_app_protocol_get_buffer", offsetof(TlsBase, app_get_buffer)};
constexpr Field kAppBufferUpdated{"_app_protocol_buffer_updated",
                                  offsetof(TlsBase, app_buffer_updated)};
constexpr Field kAppIsBuffer{"_app_protocol_is_buffer", offsetof(TlsBase, app_protocol_is_buffer)};
constexpr Field kTransport{"_transport", offsetof(TlsBase, transport)};
constexpr Field kState{"_state", offsetof(TlsBase, ssl_state)};
constexpr Field kSslObject{"_sslobj", offsetof(TlsBase, ssl_object)};
constexpr Field kIncoming{"_incoming", offsetof(TlsBase, incoming)};
constexpr Field kOutgoing{"_outgoing", offsetof(TlsBase, outgoing)};
constexpr Field kBacklog{"_write_backlog", offsetof(TlsBase, write_backlog)};
constexpr Field kBuffer{"_ssl_buffer", offsetof(TlsBase, receive_buffer)};
constexpr Field kView{"_ssl_buffer_view", offsetof(TlsBase, receive_view)};
constexpr Field kBacklogSize{"_write_buffer_size", offsetof(TlsBase, write_buffer_size)};
constexpr Field kIncomingHigh{"_incoming_high_water", offsetof(TlsBase, incoming_high)};
constexpr Field kIncomingLow{"_incoming_low_water", offsetof(TlsBase, incoming_low)};
constexpr Field kOutgoingHigh{"_outgoing_high_water", offsetof(TlsBase, outgoing_high)};
constexpr Field kOutgoingLow{"_outgoing_low_water", offsetof(TlsBase, outgoing_low)};
constexpr Field kAppReadingPaused{"_app_reading_paused", offsetof(TlsBase, app_reading_paused)};
constexpr Field kAppWritingPaused{"_app_writing_paused", offsetof(TlsBase, app_writing_paused)};
constexpr Field kSslReadingPaused{"_ssl_reading_paused", offsetof(TlsBase, ssl_reading_paused)};
constexpr Field kSslWritingPaused{"_ssl_writing_paused", offsetof(TlsBase, ssl_writing_paused)};

PyGetSetDef attribute(const Field& field, getter get, setter set) {
  return {field.name, get, set, nullptr, const_cast<Field*>(&field)};
}

PyGetSetDef tls_getset[] = {
    attribute(kLoop, get_object, set_object),
    attribute(kAppProtocol, get_object, set_object),
    attribute(kAppGetBuffer, get_object, set_object),
    attribute(kAppBufferUpdated, get_object, set_object),
    attribute(kAppIsBuffer, get_bool, set_bool),
    attribute(kTransport, get_object, set_object),
    attribute(kState, get_object, set_object),
    attribute(kSslObject, get_object, set_ssl_object),
    attribute(kIncoming, get_object, set_ssl_object),
    attribute(kOutgoing, get_object, set_ssl_object),
    attribute(kBacklog, get_object, set_object),
    attribute(kBuffer, get_object, set_object),
    attribute(kView, get_object, set_object),
    attribute(kBacklogSize, get_size, set_size),
    attribute(kIncomingHigh, get_limit, set_limit),
    attribute(kIncomingLow, get_limit, set_limit),
    attribute(kOutgoingHigh, get_limit, set_limit),
    attribute(kOutgoingLow, get_limit, set_limit),
    attribute(kAppReadingPaused, get_bool, set_bool),
    attribute(kAppWritingPaused, get_bool, set_bool),
    attribute(kSslReadingPaused, get_bool, set_bool),
    attribute(kSslWritingPaused, get_bool, set_bool),
    {},
};

// CPython keeps a pointer to the table for as long as the type lives.
PyMethodDef* joined_methods() {
  static std::vector<PyMethodDef> all = [] {
    std::vector<PyMethodDef> methods;
    for (PyMethodDef* table : {tls_read_methods, tls_write_methods}) {
      for (; table->ml_name; ++table)
        methods.push_back(*table);
    }
    methods.push_back({});
    return methods;
  }();
  return all.data();
}

PyTypeObject* make_protocol_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The record pump of a TLS connection. Made to be the first "
                                    "base of a subclass of asyncio.sslproto.SSLProtocol.")},
      {Py_tp_new, reinterpret_cast<void*>(tls_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(tls_dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(tls_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(tls_clear)},
      {Py_tp_methods, joined_methods()},
      {Py_tp_getset, tls_getset},
      {},
  };
  PyType_Spec spec{"loopgauge._core.TLSBase", sizeof(TlsBase), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
}

// Without storage of its own: asyncio's transports have slots, and two layouts do not mix.
PyTypeObject* make_transport_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The hot methods of a TLS connection's transport. Made to be "
                                    "the first base of a subclass of asyncio's.")},
      {Py_tp_methods, tls_transport_methods},
      {},
  };
  PyType_Spec spec{"loopgauge._core.TLSTransportBase", sizeof(PyObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
}

} // namespace

int add_tls_types(PyObject* module, ModuleState* state) {
  TlsState& tls = state->tls;
  tls.window_type = make_memory_window_type(module);
  tls.protocol_type = tls.window_type ? make_protocol_type(module) : nullptr;
  tls.transport_type = tls.protocol_type ? make_transport_type(module) : nullptr;
  if (!tls.transport_type || PyModule_AddType(module, tls.protocol_type) < 0)
    return -1;
  return PyModule_AddType(module, tls.transport_type);
}

Py_ssize_t tls_pending(const TlsBase* tls, PyObject* memory_bio) {
  const Ref pending(PyObject_GetAttr(memory_bio, tls->state->tls.names.pending));
  return pending ? PyLong_AsSsize_t(pending.get()) : -1;
}

PyObject* call_stock_tls(TlsBase* tls, PyObject* name, PyObject* argument) {
  const Ref method(PyObject_GetAttr(tls->state->tls.stock, name));
  if (!method)
    return nullptr;
  PyObject* arguments[] = {as_object(tls), argument};
  return PyObject_Vectorcall(method.get(), arguments, argument ? 2 : 1, nullptr);
}

bool wants_more(const TlsState& state) {
  if (!PyErr_ExceptionMatches(state.again))
    return false;
  PyErr_Clear();
  return true;
}

int tls_fatal(TlsBase* tls) {
  if (!PyErr_ExceptionMatches(PyExc_Exception))
    return -1;
  const Ref exception(take_exception());
  const Ref message(PyUnicode_FromString("Fatal error on SSL protocol"));
  const Ref result(message ? PyObject_CallMethodObjArgs(as_object(tls),
                                                        tls->state->tls.names.fatal_error,
                                                        exception.get(), message.get(), nullptr)
                           : nullptr);
  return result ? 0 : -1;
}

} // namespace loopgauge::py
