#include "loops/native/transport.hpp"

#include <new>
#include <unistd.h>

namespace loopgauge::py {
namespace {

constexpr Py_ssize_t kDefaultHighWater = 64 * 1024; // _FlowControlMixin._set_write_buffer_limits
constexpr std::uint32_t kLogThreshold = 5;          // constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES

// Server._attach() and _detach() take the transport from 3.13 on (and in later 3.12s).
int tell_server(Transport* transport, PyObject* server, PyObject* method) {
  const ModuleState* state = transport->loop->state;
  const Ref done(state->server_takes_transport
                     ? PyObject_CallMethodOneArg(server, method, as_object(transport))
                     : PyObject_CallMethodNoArgs(server, method));
  return done ? 0 : -1;
}

void register_transport(Transport* transport) {
  auto& table = transport->loop->transports;
  const auto slot = static_cast<std::size_t>(transport->fd);
  if (slot >= table.size())
    table.resize(slot + 1);
  table[slot] = transport;
}

void unregister_transport(Transport* transport) {
  if (!transport->loop || transport->fd < 0)
    return;
  auto& table = transport->loop->transports;
  const auto slot = static_cast<std::size_t>(transport->fd);
  if (slot < table.size() && table[slot] == transport)
    table[slot] = nullptr;
}

void detach_server(Transport* transport) {
  const Ref server(std::exchange(transport->server, nullptr));
  if (server && transport->loop &&
      tell_server(transport, server.get(), transport->loop->state->names.detach) < 0)
    PyErr_WriteUnraisable(as_object(transport));
}

// Nothing is sent or scheduled any more.
void mark_over(Transport* transport) {
  transport->closing = true;
  if (!transport->conn_lost)
    transport->conn_lost = 1;
}

bool calls(const Handle* handle, const Transport* transport) {
  return handle && handle->callback && PyCFunction_Check(handle->callback) &&
         as_transport(PyCFunction_GET_SELF(handle->callback)) == transport;
}

// {'message': ..., 'exception': ..., 'transport': self, 'protocol': ...}
int report(Transport* transport, PyObject* exception, const char* message) {
  const Ref text(PyUnicode_FromString(message));
  const Ref context(PyDict_New());
  PyObject* protocol = transport->protocol ? transport->protocol : Py_None;
  if (!text || !context || PyDict_SetItemString(context.get(), "message", text.get()) < 0 ||
      PyDict_SetItemString(context.get(), "exception", exception) < 0 ||
      PyDict_SetItemString(context.get(), "transport", as_object(transport)) < 0 ||
      PyDict_SetItemString(context.get(), "protocol", protocol) < 0)
    return -1;
  const Ref done(PyObject_CallMethodOneArg(as_object(transport->loop),
                                           transport->loop->state->names.call_exception_handler,
                                           context.get()));
  return done ? 0 : -1;
}

// A failed pause_writing() or resume_writing() is reported and changes nothing.
int tell_flow(Transport* transport, PyObject* name, const char* message) {
  const Ref done(call_protocol(transport, name, nullptr));
  if (done)
    return 0;
  if (must_leave())
    return -1;
  const Ref exception(take_exception());
  return report(transport, exception.get(), message);
}

} // namespace

long int_attribute(PyObject* object, const char* name) {
  const Ref value(PyObject_GetAttrString(object, name));
  return value ? PyLong_AsLong(value.get()) : -1;
}

int refuse_second_init(const Transport* transport) {
  if (!transport->loop)
    return 0;
  PyErr_SetString(PyExc_RuntimeError, "a transport cannot be initialised twice");
  return -1;
}

int init_transport(Transport* transport, LoopBase* loop, int fd, PyObject* protocol,
                   PyObject* extra, PyObject* server, PyObject* context) {
  transport->loop = reinterpret_cast<LoopBase*>(Py_NewRef(as_object(loop)));
  transport->fd = fd;
  transport->protocol = Py_NewRef(protocol);
  transport->extra = extra && extra != Py_None ? Py_NewRef(extra) : nullptr;
  transport->context = context && context != Py_None ? Py_NewRef(context) : nullptr;
  transport->closing = false;
  transport->conn_lost = 0;
  transport->high_water = kDefaultHighWater;
  transport->low_water = kDefaultHighWater / 4;
  if (server && server != Py_None) {
    if (tell_server(transport, server, loop->state->names.attach) < 0)
      return -1;
    transport->server = Py_NewRef(server);
  }
  try {
    register_transport(transport);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  return 0;
}

int call_soon(Transport* transport, PyObject* callback, PyObject* argument) {
  PyObject* arguments[] = {as_object(transport->loop), callback, argument ? argument : Py_None,
                           transport->context};
  const std::size_t count = argument ? 3 : 2;
  if (transport->context)
    arguments[count] = transport->context;
  const Ref handle(PyObject_VectorcallMethod(
      transport->loop->state->names.call_soon, arguments, count,
      transport->context ? transport->loop->state->context_names : nullptr));
  return handle ? 0 : -1;
}

int call_own_soon(Transport* transport, const char* method, PyObject* argument) {
  const Ref callback(PyObject_GetAttrString(as_object(transport), method));
  return callback ? call_soon(transport, callback.get(), argument) : -1;
}

int listen_to(Transport* transport, Side side, const char* method) {
  LoopBase* loop = transport->loop;
  if (calls(handle_at(loop, transport->fd, side), transport))
    return unmute(loop, transport->fd, side);
  if (check_closed(as_object(loop)) < 0)
    return -1;
  const Ref callback(PyObject_GetAttrString(as_object(transport), method));
  if (!callback)
    return -1;
  Handle* handle =
      new_handle(loop->state, as_object(loop), callback.get(), nullptr, 0, transport->context);
  if (!handle)
    return -1;
  track(handle);
  if (note_source(loop, handle) < 0) {
    Py_DECREF(as_object(handle));
    return -1;
  }
  return set_handle(loop, transport->fd, side, handle);
}

int schedule_start(Transport* transport, PyObject* waiter) {
  const ModuleState* state = transport->loop->state;
  const Ref made(PyObject_GetAttr(transport->protocol, state->names.connection_made));
  if (!made || call_soon(transport, made.get(), as_object(transport)) < 0 ||
      call_own_soon(transport, "_start_reading", nullptr) < 0)
    return -1;
  if (!waiter || waiter == Py_None)
    return 0;
  return call_own_soon(transport, "_wake_waiter", waiter);
}

void let_go(Transport* transport) {
  const KeepException failure;
  unregister_transport(transport);
  detach_server(transport);
  transport->fd = -1;
  Py_CLEAR(transport->sock);
  mark_over(transport);
}

// The number is the first field of CPython's PySocketSockObject (Modules/socketmodule.h), in every
// version; one that lies elsewhere is not found to be the same.
void keep_socket(Transport* transport, PyObject* sock) {
  const PyObject* member = state_of(Py_TYPE(transport))->sockets.family;
  const auto* first = reinterpret_cast<const int*>(sock + 1);
  const bool is_socket = PyObject_TypeCheck(sock, PyDescr_TYPE(member));
  transport->sock_number = is_socket && *first == transport->fd ? first : nullptr;
  Py_XSETREF(transport->sock, Py_NewRef(sock));
}

int ask_socket(const Transport* transport) {
  const ModuleState* state = state_of(Py_TYPE(transport));
  const Ref number(PyObject_CallMethodNoArgs(transport->sock, state->names.fileno));
  const long fd = number ? PyLong_AsLong(number.get()) : -1;
  PyErr_Clear();
  return static_cast<int>(fd);
}

PyObject* call_protocol(Transport* transport, PyObject* name, PyObject* argument) {
  PyObject* protocol = transport->protocol ? transport->protocol : Py_None;
  const Ref keep = Ref::borrow(protocol); // set_protocol() inside the call
  return argument ? PyObject_CallMethodOneArg(protocol, name, argument)
                  : PyObject_CallMethodNoArgs(protocol, name);
}

int close_descriptor(Transport* transport) {
  const int fd = std::exchange(transport->fd, -1);
  const Ref sock(std::exchange(transport->sock, nullptr));
  if (sock) {
    const Ref done(PyObject_CallMethod(sock.get(), "close", nullptr));
    return done ? 0 : -1;
  }
  if (fd >= 0)
    (void)::close(fd);
  return 0;
}

int report_fatal(Transport* transport, PyObject* exception, const char* message, bool quiet) {
  if (!transport->loop)
    return 0;
  if (!quiet)
    return report(transport, exception, message);
  if (!loop_debug(as_object(transport->loop)))
    return 0;
  const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.reporting"));
  const Ref done(module ? PyObject_CallMethod(module.get(), "log_transport_error", "OsO",
                                              as_object(transport), message, exception)
                        : nullptr);
  return done ? 0 : -1;
}

int fatal_error(Transport* transport, const char* message) {
  if (must_leave())
    return -1;
  const Ref exception(take_exception());
  const bool everyday =
      PyObject_TypeCheck(exception.get(), reinterpret_cast<PyTypeObject*>(PyExc_OSError));
  if (report_fatal(transport, exception.get(), message, everyday) < 0)
    return -1;
  return force_close(transport, exception.get());
}

int fatal_errno(Transport* transport, int error, const char* message) {
  raise_os_error(error);
  return fatal_error(transport, message);
}

int force_close(Transport* transport, PyObject* exception) {
  if (transport->conn_lost || !transport->loop)
    return 0;
  transport->kind->drop_buffer(transport);
  if (clear_handle(transport->loop, transport->fd, Side::writer) < 0)
    return -1;
  if (!transport->closing) {
    transport->closing = true;
    if (clear_handle(transport->loop, transport->fd, Side::reader) < 0)
      return -1;
  }
  unregister_transport(transport);
  ++transport->conn_lost;
  return call_own_soon(transport, "_call_connection_lost", exception ? exception : Py_None);
}

int close_transport(Transport* transport) {
  if (transport->closing || !transport->loop)
    return 0;
  if (transport->kind->flush(transport) < 0)
    return -1;
  if (transport->closing) // the flush failed
    return 0;
  transport->closing = true;
  unregister_transport(transport);
  if (clear_handle(transport->loop, transport->fd, Side::reader) < 0)
    return -1;
  if (transport->kind->buffered(transport) != 0)
    return 0;
  ++transport->conn_lost;
  if (clear_handle(transport->loop, transport->fd, Side::writer) < 0)
    return -1;
  return call_own_soon(transport, "_call_connection_lost", Py_None);
}

int lose_connection(Transport* transport, PyObject* exception) {
  const Ref keep = Ref::borrow(as_object(transport));
  if (!transport->loop)
    return 0;
  if (transport->protocol)
    const Ref done(
        call_protocol(transport, transport->loop->state->names.connection_lost, exception));
  const KeepException first; // everything below happens in any case; a second one is dropped
  unregister_transport(transport);
  mark_over(transport);
  // Closed while it was still watched (a protocol that closes the socket itself): take it out,
  // unless the number is another's by now.
  for (const Side side : {Side::reader, Side::writer}) {
    if (calls(handle_at(transport->loop, transport->fd, side), transport) &&
        clear_handle(transport->loop, transport->fd, side) < 0)
      PyErr_Clear();
  }
  if (close_descriptor(transport) < 0)
    PyErr_WriteUnraisable(as_object(transport));
  detach_server(transport);
  if (transport->kind->lost(transport) < 0)
    PyErr_WriteUnraisable(as_object(transport));
  Py_CLEAR(transport->protocol);
  Py_CLEAR(transport->context);
  const Ref loop(reinterpret_cast<PyObject*>(std::exchange(transport->loop, nullptr)));
  return first.kept ? -1 : 0;
}

int maybe_pause_protocol(Transport* transport) {
  const auto size = static_cast<Py_ssize_t>(transport->kind->buffered(transport));
  if (size <= transport->high_water || transport->protocol_paused || !transport->loop)
    return 0;
  transport->protocol_paused = true;
  return tell_flow(transport, transport->loop->state->names.pause_writing,
                   "protocol.pause_writing() failed");
}

int maybe_resume_protocol(Transport* transport) {
  const auto size = static_cast<Py_ssize_t>(transport->kind->buffered(transport));
  if (!transport->protocol_paused || size > transport->low_water || !transport->loop)
    return 0;
  transport->protocol_paused = false;
  return tell_flow(transport, transport->loop->state->names.resume_writing,
                   "protocol.resume_writing() failed");
}

namespace {

int log_in_debug_mode(Transport* transport, const char* function, const char* format) {
  if (!transport->loop || !loop_debug(as_object(transport->loop)))
    return 0;
  const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.reporting"));
  const Ref done(
      module ? PyObject_CallMethod(module.get(), function, "sO", format, as_object(transport))
             : nullptr);
  return done ? 0 : -1;
}

} // namespace

int log_debug(Transport* transport, const char* format) {
  return log_in_debug_mode(transport, "log_debug", format);
}

int log_info(Transport* transport, const char* format) {
  return log_in_debug_mode(transport, "log_info", format);
}

int note_lost_write(Transport* transport, const char* warning) {
  const std::uint32_t count = transport->conn_lost++;
  if (count < kLogThreshold)
    return 0;
  const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.reporting"));
  const Ref done(module ? PyObject_CallMethod(module.get(), "log_warning", "s", warning) : nullptr);
  return done ? 0 : -1;
}

Transport* transport_of(LoopBase* loop, int fd) {
  const auto slot = static_cast<std::size_t>(fd);
  return fd >= 0 && slot < loop->transports.size() ? loop->transports[slot] : nullptr;
}

// ---- life cycle, for transport_type.cpp --------------------------------------------------------

int transport_traverse(PyObject* self, visitproc visit, void* arg) {
  Transport* transport = as_transport(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(transport->extra);
  Py_VISIT(reinterpret_cast<PyObject*>(transport->loop));
  Py_VISIT(transport->dict);
  Py_VISIT(transport->protocol);
  Py_VISIT(transport->server);
  Py_VISIT(transport->context);
  Py_VISIT(transport->sock);
  return transport->kind->visit(transport, visit, arg);
}

int transport_clear(PyObject* self) {
  Transport* transport = as_transport(self);
  transport->kind->clear(transport);
  unregister_transport(transport);
  mark_over(transport);
  Py_CLEAR(transport->extra);
  Py_CLEAR(transport->dict);
  Py_CLEAR(transport->protocol);
  Py_CLEAR(transport->server);
  Py_CLEAR(transport->context);
  const Ref loop(reinterpret_cast<PyObject*>(std::exchange(transport->loop, nullptr)));
  return 0;
}

// As _SelectorTransport.__del__: somebody forgot to close it.
void transport_finalize(PyObject* self) {
  Transport* transport = as_transport(self);
  if (transport->fd < 0 && !transport->sock)
    return;
  const KeepException pending;
  if (PyErr_ResourceWarning(self, 1, "unclosed transport %R", self) < 0)
    PyErr_WriteUnraisable(self);
  unregister_transport(transport);
  if (close_descriptor(transport) < 0)
    PyErr_WriteUnraisable(self);
  detach_server(transport);
}

void transport_dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) < 0)
    return; // resurrected
  Transport* transport = as_transport(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (transport->weak_references)
    PyObject_ClearWeakRefs(self);
  transport_clear(self);
  Py_CLEAR(transport->sock);
  transport->kind->destroy(transport);
  type->tp_free(self);
  Py_DECREF(type);
}

} // namespace loopgauge::py
