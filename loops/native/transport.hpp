// What all native transports share: loop, protocol, descriptor, flow control, and how they end.
//
// The behaviour is that of CPython's _SelectorTransport (selector_events.py) and _FlowControlMixin
// (transports.py). A transport is a real subclass of asyncio's classes, because sendfile(),
// start_tls() and other people's code ask isinstance(); their slots are hidden by attributes of the
// same names.
#pragma once

#include <Python.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "loops/native/exceptions.hpp"
#include "loops/native/loop.hpp"
#include "loops/native/pyref.hpp"

namespace loopgauge::py {

struct Transport;

/// What differs from kind to kind. Called with the GIL held.
struct TransportKind {
  std::size_t (*buffered)(const Transport*); // bytes that the kernel has refused so far
  std::size_t (*unsent)(const Transport*);   // get_write_buffer_size()
  void (*drop_buffer)(Transport*);           // forgets what was not sent
  int (*protocol_changed)(Transport*);       // after set_protocol(), -1 with an exception; or null
  int (*flush)(Transport*); // sends what is held back. -1: an exception leaves the loop
  int (*lost)(Transport*);  // after connection_lost(); -1 with an exception
  /// The value of get_extra_info(name), new reference; null, with or without an exception.
  PyObject* (*info)(Transport*, PyObject* name);
  int (*visit)(Transport*, visitproc, void*); // further references, for the garbage collector
  void (*clear)(Transport*);
  void (*destroy)(Transport*);             // C++ members; the object's memory goes afterwards
  PyObject* (*repr)(Transport*) = nullptr; // null: as sockets do it
};

struct Transport {
  PyObject_HEAD
      // Slots of asyncio's base classes, of which only the first and `loop` are used, by our
      // getters.
      PyObject* extra; // what the user of the transport was told; null: nothing yet
  PyObject* unused_high_water;
  LoopBase* loop; // strong; null once the connection is lost
  PyObject* unused_low_water;
  PyObject* unused_protocol_paused;
  // Ours.
  PyObject* dict;
  PyObject* weak_references;
  const TransportKind* kind;
  PyObject* protocol; // strong; null: None
  PyObject* server;   // strong; null: None
  PyObject* context; // of the connection (3.15); null: each callback gets a copy of the current one
  PyObject* sock;    // the socket or file object that owns `fd`; null: not made, or closed
  const int* sock_number; // in a CPython socket that is `sock`, -1 once it is closed; null: ask it
  Py_ssize_t high_water, low_water; // bytes
  int fd;                           // -1 once it is closed
  std::uint32_t conn_lost; // writes after the end, as CPython counts them; not 0: it is over
  bool closing : 1;
  bool paused : 1;          // pause_reading()
  bool protocol_paused : 1; // pause_writing() was called
  bool deferred : 1;        // in the loop's list of transports to flush
};

inline Transport* as_transport(PyObject* object) {
  return reinterpret_cast<Transport*>(object);
}
inline PyObject* as_object(Transport* transport) {
  return reinterpret_cast<PyObject*>(transport);
}
inline const Transport* as_transport(const PyObject* object) {
  return reinterpret_cast<const Transport*>(object);
}

/// True for the errno of a call that has to be made again later.
inline bool would_block(int error) {
  return error == EAGAIN || error == EINTR; // EWOULDBLOCK is EAGAIN on Linux
}
/// What a method returns whose work answered 0, or -1 with an exception.
inline PyObject* none_or_error(int result) {
  return result < 0 ? nullptr : Py_NewRef(Py_None);
}

/// An attribute that is an int. -1 with an exception.
long int_attribute(PyObject* object, const char* name);
/// -1 with RuntimeError if the transport was initialised before.
int refuse_second_init(const Transport* transport);
/// Fills in what every transport has; `server` null or None, `context` null or None. `fd` becomes
/// the transport's with the call. -1 with an exception (ValueError, RuntimeError of a closed loop).
int init_transport(Transport* transport, LoopBase* loop, int fd, PyObject* protocol,
                   PyObject* extra, PyObject* server, PyObject* context);

/// loop.call_soon(self.method, ...) in the transport's context. -1 with an exception.
int call_soon(Transport* transport, PyObject* callback, PyObject* argument);
int call_own_soon(Transport* transport, const char* method, PyObject* argument);

/// loop._add_reader(fd, self.method) or _add_writer, if it is not there yet, and unmuted; what
/// somebody else left behind under the number is replaced. -1: OSError, RuntimeError of a closed
/// loop.
int listen_to(Transport* transport, Side side, const char* method);

/// Schedules connection_made(), the beginning of reading, and the result of `waiter` (null or None:
/// nobody waits), in this order. -1 with an exception.
int schedule_start(Transport* transport, PyObject* waiter);
/// After a failed construction: the descriptor is the caller's still. Keeps the exception.
void let_go(Transport* transport);

/// `sock` (borrowed) owns the transport's descriptor from now on.
void keep_socket(Transport* transport, PyObject* sock);
/// The number of a socket object that has no `sock_number`. -1 when it is closed, or does not say.
int ask_socket(const Transport* transport);
/// False when somebody who has the socket too has closed it: the number may be another's by now.
inline bool owns_descriptor(const Transport* transport) {
  if (!transport->sock)
    return true;
  return transport->fd ==
         (transport->sock_number ? *transport->sock_number : ask_socket(transport));
}

/// Calls protocol.name(argument or nothing). New reference, null with the exception.
PyObject* call_protocol(Transport* transport, PyObject* name, PyObject* argument);

/// Tells the loop's exception handler of an exception, or, if `quiet`, debug mode's log. -1 with an
/// exception.
int report_fatal(Transport* transport, PyObject* exception, const char* message, bool quiet);
/// Ends the connection over the exception that is set: reported to the loop's exception handler
/// unless it is an OSError. 0, or -1 with an exception that must leave the loop.
int fatal_error(Transport* transport, const char* message);
/// The same for an errno.
int fatal_errno(Transport* transport, int error, const char* message);

/// Drops what was not sent and schedules connection_lost(exception or None). -1 with an exception.
int force_close(Transport* transport, PyObject* exception);
/// close(): connection_lost() follows when everything is sent.
int close_transport(Transport* transport);
/// Calls connection_lost() now and closes the descriptor. -1 with the protocol's exception.
int lose_connection(Transport* transport, PyObject* exception);

/// Flow control, to be called whenever the buffer has grown, or shrunk. -1: an exception leaves.
int maybe_pause_protocol(Transport* transport);
int maybe_resume_protocol(Transport* transport);

inline bool is_reading(const Transport* transport) {
  return !transport->closing && !transport->paused;
}

/// In debug mode: logger.debug(format, self), or logger.info().
int log_debug(Transport* transport, const char* format);
int log_info(Transport* transport, const char* format);
/// Counts a write() after the end; logs a warning from the fifth on. -1 with an exception.
int note_lost_write(Transport* transport, const char* warning);

/// `_transports` of the loop: the transport that has the descriptor and is not closing, or null.
Transport* transport_of(LoopBase* loop, int fd);

/// Closes the object that owns the descriptor, or the descriptor. -1 with an exception.
int close_descriptor(Transport* transport);

/// Which of the shared methods a type has, beside those of every transport.
enum TransportPart : unsigned { kReads = 1, kWrites = 2, kForceCloses = 4 };
constexpr unsigned kSocketParts = kReads | kWrites | kForceCloses;

/// A type with the shared methods, attributes and life cycle, and the kind's own. `create` is
/// tp_new: it has to call new_transport() and construct its C++ members. `bases` is a tuple of
/// asyncio's classes, borrowed. Null with an exception, also when their layout is not what
/// Transport expects.
PyTypeObject* make_transport_type(PyObject* module, const char* name, int size, const char* doc,
                                  newfunc create, initproc init, const PyMethodDef* methods,
                                  const PyGetSetDef* attributes, PyObject* bases,
                                  unsigned parts = kSocketParts);
/// The only argument of a METH_FASTCALL|METH_KEYWORDS call, by position or as `name`. Borrowed, or
/// null with TypeError.
PyObject* only_argument_slow(const char* method, const char* name, PyObject* const* args,
                             Py_ssize_t nargs, PyObject* kwnames);
inline PyObject* only_argument(const char* method, const char* name, PyObject* const* args,
                               Py_ssize_t nargs, PyObject* kwnames) {
  return nargs == 1 && !kwnames ? args[0] : only_argument_slow(method, name, args, nargs, kwnames);
}
/// Allocates; to be followed by init_transport(): until then it counts as lost. Null with
/// MemoryError.
Transport* new_transport(PyTypeObject* type, const TransportKind* kind);

} // namespace loopgauge::py
