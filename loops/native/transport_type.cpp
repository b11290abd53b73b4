// The methods and attributes that every native transport has.

#include <Python.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <structmember.h> // PyMemberDef, before 3.12
#include <vector>

#include "loops/native/transport.hpp"

namespace loopgauge::py {

int transport_traverse(PyObject* self, visitproc visit, void* arg);
int transport_clear(PyObject* self);
void transport_finalize(PyObject* self);
void transport_dealloc(PyObject* self);

namespace {

PyObject* object_or_none(PyObject* object) {
  return Py_NewRef(object ? object : Py_None);
}

// ---- ending ------------------------------------------------------------------------------------

PyObject* close(PyObject* self, PyObject*) {
  return none_or_error(close_transport(as_transport(self)));
}

// What is held back counts as sent.
PyObject* force_close_method(PyObject* self, PyObject* exception) {
  Transport* transport = as_transport(self);
  if (transport->loop && !transport->conn_lost && transport->kind->flush(transport) < 0)
    return nullptr;
  return none_or_error(force_close(transport, exception));
}

PyObject* abort(PyObject* self, PyObject*) {
  return force_close_method(self, Py_None);
}

// _fatal_error(exc, message='Fatal error on transport')
PyObject* fatal_error_method(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"exc", "message", nullptr};
  PyObject* exception;
  const char* message = "Fatal error on transport";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s:_fatal_error", const_cast<char**>(names),
                                   &exception, &message))
    return nullptr;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
  return none_or_error(fatal_error(as_transport(self), message));
}

PyObject* call_connection_lost(PyObject* self, PyObject* exception) {
  return none_or_error(lose_connection(as_transport(self), exception));
}

PyObject* is_closing(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_transport(self)->closing);
}

// ---- protocol and information ------------------------------------------------------------------

PyObject* get_protocol(PyObject* self, PyObject*) {
  return object_or_none(as_transport(self)->protocol);
}

PyObject* set_protocol(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Transport* transport = as_transport(self);
  PyObject* protocol = only_argument("set_protocol", "protocol", args, nargs, kwnames);
  if (!protocol)
    return nullptr;
  Py_XSETREF(transport->protocol, Py_NewRef(protocol));
  const auto changed = transport->kind->protocol_changed;
  return none_or_error(changed ? changed(transport) : 0);
}

PyObject* known_info(Transport* transport, PyObject* name) {
  if (transport->extra) {
    PyObject* known = PyDict_GetItemWithError(transport->extra, name);
    if (known || PyErr_Occurred())
      return Py_XNewRef(known);
  }
  return transport->kind->info(transport, name);
}

PyObject* get_extra_info(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"name", "default", nullptr};
  PyObject *name, *fallback = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:get_extra_info", const_cast<char**>(names),
                                   &name, &fallback))
    return nullptr;
  PyObject* value = known_info(as_transport(self), name);
  return value || PyErr_Occurred() ? value : Py_NewRef(fallback);
}

// `_extra`: everything the transport can tell, in the dictionary that its users may change.
PyObject* get_extra(PyObject* self, void*) {
  Transport* transport = as_transport(self);
  if (!transport->extra && !(transport->extra = PyDict_New()))
    return nullptr;
  for (const char* text : {"socket", "sockname", "peername", "pipe"}) {
    const Ref name(PyUnicode_InternFromString(text));
    const Ref value(name ? known_info(transport, name.get()) : nullptr);
    if (PyErr_Occurred() ||
        (value && PyDict_SetItem(transport->extra, name.get(), value.get()) < 0))
      return nullptr;
  }
  return Py_NewRef(transport->extra);
}

// ---- flow control ------------------------------------------------------------------------------

PyObject* pause_reading(PyObject* self, PyObject*) {
  Transport* transport = as_transport(self);
  if (!is_reading(transport))
    Py_RETURN_NONE;
  // The descriptor stays in epoll until it reports something: most pauses end before.
  transport->paused = true;
  return none_or_error(log_debug(transport, "%r pauses reading"));
}

PyObject* resume_reading(PyObject* self, PyObject*) {
  Transport* transport = as_transport(self);
  if (transport->closing || !transport->paused)
    Py_RETURN_NONE;
  transport->paused = false;
  if (listen_to(transport, Side::reader, "_read_ready") < 0)
    return nullptr;
  return none_or_error(log_debug(transport, "%r resumes reading"));
}

PyObject* is_reading_method(PyObject* self, PyObject*) {
  return PyBool_FromLong(is_reading(as_transport(self)));
}

// What call_soon() schedules after connection_made(): a transport that was paused or closed in
// there does not begin to read.
PyObject* start_reading(PyObject* self, PyObject*) {
  Transport* transport = as_transport(self);
  if (!is_reading(transport) || !transport->loop)
    Py_RETURN_NONE;
  return none_or_error(listen_to(transport, Side::reader, "_read_ready"));
}

// futures._set_result_unless_cancelled
PyObject* wake_waiter(PyObject*, PyObject* waiter) {
  const Ref cancelled(PyObject_CallMethod(waiter, "cancelled", nullptr));
  if (!cancelled)
    return nullptr;
  if (cancelled.get() == Py_True)
    Py_RETURN_NONE;
  return PyObject_CallMethod(waiter, "set_result", "O", Py_None);
}

PyObject* get_write_buffer_size(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(as_transport(self)->kind->unsent(as_transport(self)));
}

PyObject* get_write_buffer_limits(PyObject* self, PyObject*) {
  const Transport* transport = as_transport(self);
  return Py_BuildValue("(nn)", transport->low_water, transport->high_water);
}

// Bytes, or -2 with an exception. Any number will do, as in CPython, where it is only compared.
Py_ssize_t as_limit(PyObject* value) {
  if (PyLong_Check(value)) {
    int overflow;
    const long long limit = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow > 0)
      return PY_SSIZE_T_MAX;
    return overflow < 0 || limit < 0 ? -1 : static_cast<Py_ssize_t>(limit);
  }
  const double limit = PyFloat_AsDouble(value);
  if (limit == -1.0 && PyErr_Occurred())
    return -2;
  return limit < 0 ? -1 : limit > 1e18 ? PY_SSIZE_T_MAX : static_cast<Py_ssize_t>(limit);
}

int set_limits(Transport* transport, PyObject* high_object, PyObject* low_object) {
  Py_ssize_t high = 64 * 1024, low = 0;
  if (low_object != Py_None && (low = as_limit(low_object)) == -2)
    return -1;
  if (high_object != Py_None) {
    if ((high = as_limit(high_object)) == -2)
      return -1;
  } else if (low_object != Py_None) {
    high = low > PY_SSIZE_T_MAX / 4 ? PY_SSIZE_T_MAX : 4 * low;
  }
  if (low_object == Py_None)
    low = high >= 0 ? high / 4 : -1;
  if (high < low || low < 0) {
    const Ref shown_high(high_object == Py_None ? PyLong_FromSsize_t(high)
                                                : Py_NewRef(high_object));
    const Ref shown_low(low_object == Py_None ? PyLong_FromSsize_t(low) : Py_NewRef(low_object));
    PyErr_Format(PyExc_ValueError, "high (%R) must be >= low (%R) must be >= 0", shown_high.get(),
                 shown_low.get());
    return -1;
  }
  transport->high_water = high;
  transport->low_water = low;
  return 0;
}

PyObject* set_limits_method(PyObject* self, PyObject* args, PyObject* kwargs, bool pause) {
  static const char* const names[] = {"high", "low", nullptr};
  PyObject *high = Py_None, *low = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:set_write_buffer_limits",
                                   const_cast<char**>(names), &high, &low) ||
      set_limits(as_transport(self), high, low) < 0)
    return nullptr;
  return none_or_error(pause ? maybe_pause_protocol(as_transport(self)) : 0);
}

PyObject* set_write_buffer_limits(PyObject* self, PyObject* args, PyObject* kwargs) {
  return set_limits_method(self, args, kwargs, true);
}

PyObject* set_write_buffer_limits_only(PyObject* self, PyObject* args, PyObject* kwargs) {
  return set_limits_method(self, args, kwargs, false);
}

PyObject* maybe_pause_method(PyObject* self, PyObject*) {
  return none_or_error(maybe_pause_protocol(as_transport(self)));
}

PyObject* maybe_resume_method(PyObject* self, PyObject*) {
  return none_or_error(maybe_resume_protocol(as_transport(self)));
}

// ---- attributes that CPython's transports have -------------------------------------------------

PyObject* get_loop(PyObject* self, void*) {
  return object_or_none(reinterpret_cast<PyObject*>(as_transport(self)->loop));
}
PyObject* get_protocol_attribute(PyObject* self, void*) {
  return object_or_none(as_transport(self)->protocol);
}
PyObject* get_protocol_connected(PyObject*, void*) {
  Py_RETURN_TRUE;
}
PyObject* get_server(PyObject* self, void*) {
  return object_or_none(as_transport(self)->server);
}
PyObject* get_fd(PyObject* self, void*) {
  return PyLong_FromLong(as_transport(self)->fd);
}
PyObject* get_conn_lost(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_transport(self)->conn_lost);
}
PyObject* get_closing(PyObject* self, void*) {
  return PyBool_FromLong(as_transport(self)->closing);
}
PyObject* get_paused(PyObject* self, void*) {
  return PyBool_FromLong(as_transport(self)->paused);
}
PyObject* get_protocol_paused(PyObject* self, void*) {
  return PyBool_FromLong(as_transport(self)->protocol_paused);
}
PyObject* get_high_water(PyObject* self, void*) {
  return PyLong_FromSsize_t(as_transport(self)->high_water);
}
PyObject* get_low_water(PyObject* self, void*) {
  return PyLong_FromSsize_t(as_transport(self)->low_water);
}

const char* state_of_side(Transport* transport, Side side) {
  Watch* watch = transport->loop->watches.at(transport->fd);
  return watch && watch->listens(side) && !(side == Side::reader && transport->paused) ? "polling"
                                                                                       : "idle";
}

PyObject* repr(PyObject* self) {
  Transport* transport = as_transport(self);
  if (transport->kind->repr)
    return transport->kind->repr(transport);
  const char* name = std::strrchr(Py_TYPE(self)->tp_name, '.');
  name = name ? name + 1 : Py_TYPE(self)->tp_name;
  const char* state = transport->fd < 0 ? " closed" : transport->closing ? " closing" : "";
  if (!transport->loop || (transport->loop->flags & kClosed))
    return PyUnicode_FromFormat("<%s%s fd=%d>", name, state, transport->fd);
  return PyUnicode_FromFormat("<%s%s fd=%d read=%s write=<%s, bufsize=%zu>>", name, state,
                              transport->fd, state_of_side(transport, Side::reader),
                              state_of_side(transport, Side::writer),
                              transport->kind->unsent(transport));
}

const PyMethodDef shared_methods[] = {
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\nCloses the transport when what was written is sent."},
    {"is_closing", is_closing, METH_NOARGS,
     "is_closing($self, /)\n--\n\nTrue once the transport is closing or closed."},
    {"get_protocol", get_protocol, METH_NOARGS,
     "get_protocol($self, /)\n--\n\nThe current protocol."},
    {"set_protocol", as_method(set_protocol), METH_FASTCALL | METH_KEYWORDS,
     "set_protocol($self, protocol)\n--\n\nSets a new protocol."},
    {"get_extra_info", as_method(get_extra_info), METH_VARARGS | METH_KEYWORDS,
     "get_extra_info($self, /, name, default=None)\n--\n\nWhat is known about the connection."},
    {"_fatal_error", as_method(fatal_error_method), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"_call_connection_lost", call_connection_lost, METH_O, nullptr},
    {"_wake_waiter", wake_waiter, METH_O, nullptr},
    {},
};

const PyMethodDef reading_methods[] = {
    {"pause_reading", pause_reading, METH_NOARGS,
     "pause_reading($self, /)\n--\n\nNo data reach the protocol until resume_reading()."},
    {"resume_reading", resume_reading, METH_NOARGS,
     "resume_reading($self, /)\n--\n\nEnds pause_reading()."},
    {"is_reading", is_reading_method, METH_NOARGS,
     "is_reading($self, /)\n--\n\nTrue unless paused, closing or closed."},
    {"_start_reading", start_reading, METH_NOARGS, nullptr},
    {},
};

const PyMethodDef writing_methods[] = {
    {"abort", abort, METH_NOARGS, "abort($self, /)\n--\n\nCloses the transport at once."},
    {"get_write_buffer_size", get_write_buffer_size, METH_NOARGS,
     "get_write_buffer_size($self, /)\n--\n\nBytes that were written and not sent yet."},
    {"get_write_buffer_limits", get_write_buffer_limits, METH_NOARGS,
     "get_write_buffer_limits($self, /)\n--\n\nThe limits as (low, high), in bytes."},
    {"set_write_buffer_limits", as_method(set_write_buffer_limits), METH_VARARGS | METH_KEYWORDS,
     "set_write_buffer_limits($self, /, high=None, low=None)\n--\n\nSets the limits in bytes."},
    {"_set_write_buffer_limits", as_method(set_write_buffer_limits_only),
     METH_VARARGS | METH_KEYWORDS, nullptr},
    {"_maybe_pause_protocol", maybe_pause_method, METH_NOARGS, nullptr},
    {"_maybe_resume_protocol", maybe_resume_method, METH_NOARGS, nullptr},
    {},
};

const PyMethodDef force_close_methods[] = {
    {"_force_close", force_close_method, METH_O, nullptr},
    {},
};

const PyGetSetDef shared_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"_extra", get_extra, nullptr, nullptr, nullptr},
    {"_loop", get_loop, nullptr, nullptr, nullptr},
    {"_protocol", get_protocol_attribute, nullptr, nullptr, nullptr},
    {"_protocol_connected", get_protocol_connected, nullptr, nullptr, nullptr},
    {"_server", get_server, nullptr, nullptr, nullptr},
    {"_sock_fd", get_fd, nullptr, nullptr, nullptr},
    {"_conn_lost", get_conn_lost, nullptr, nullptr, nullptr},
    {"_closing", get_closing, nullptr, nullptr, nullptr},
    {"_paused", get_paused, nullptr, nullptr, nullptr},
    {"_protocol_paused", get_protocol_paused, nullptr, nullptr, nullptr},
    {"_high_water", get_high_water, nullptr, nullptr, nullptr},
    {"_low_water", get_low_water, nullptr, nullptr, nullptr},
    {},
};

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Transport, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Transport, weak_references), READONLY, nullptr},
    {},
};

// The kind's own first: they win. Lives as long as the type, which is as long as the process.
template <class Definition>
Definition* joined(std::initializer_list<const Definition*> tables, const char* Definition::*name) {
  auto* all = new std::vector<Definition>();
  const auto is_there = [&](const char* text) {
    return std::any_of(all->begin(), all->end(), [&](const Definition& known) {
      return std::strcmp(known.*name, text) == 0;
    });
  };
  for (const Definition* table : tables) {
    for (; table && table->*name; ++table) {
      if (!is_there(table->*name))
        all->push_back(*table);
    }
  }
  all->push_back({});
  return all->data();
}

// Slots of the base classes lie where Transport expects them: `_extra`, then the mixin's four.
bool has_expected_layout(PyObject* bases) {
  const PyTypeObject* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, 0));
  return base->tp_dictoffset == 0 && base->tp_weaklistoffset == 0 &&
         base->tp_basicsize <= static_cast<Py_ssize_t>(offsetof(Transport, dict));
}

} // namespace

PyTypeObject* make_transport_type(PyObject* module, const char* name, int size, const char* doc,
                                  newfunc create, initproc init, const PyMethodDef* methods,
                                  const PyGetSetDef* attributes, PyObject* bases, unsigned parts) {
  if (!has_expected_layout(bases)) {
    PyErr_Format(PyExc_ImportError, "%s: asyncio's transport classes have changed", name);
    return nullptr;
  }
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>(doc)},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_init, reinterpret_cast<void*>(init)},
      {Py_tp_dealloc, reinterpret_cast<void*>(transport_dealloc)},
      {Py_tp_finalize, reinterpret_cast<void*>(transport_finalize)},
      {Py_tp_traverse, reinterpret_cast<void*>(transport_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(transport_clear)},
      {Py_tp_repr, reinterpret_cast<void*>(repr)},
      {Py_tp_methods, joined({methods, shared_methods, parts & kReads ? reading_methods : nullptr,
                              parts & kWrites ? writing_methods : nullptr,
                              parts & kForceCloses ? force_close_methods : nullptr},
                             &PyMethodDef::ml_name)},
      {Py_tp_getset, joined({attributes, shared_attributes}, &PyGetSetDef::name)},
      {Py_tp_members, members},
      {},
  };
  PyType_Spec spec{name, size, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, bases));
  if (type && PyModule_AddType(module, type) < 0)
    Py_CLEAR(type);
  return type;
}

Transport* new_transport(PyTypeObject* type, const TransportKind* kind) {
  Transport* transport = as_transport(type->tp_alloc(type, 0));
  if (!transport)
    return nullptr;
  transport->kind = kind;
  transport->fd = -1;
  transport->closing = true;
  transport->conn_lost = 1;
  return transport;
}

PyObject* only_argument_slow(const char* method, const char* name, PyObject* const* args,
                             Py_ssize_t nargs, PyObject* kwnames) {
  const Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  if (nargs + named == 1 &&
      (named == 0 || PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), name) == 0))
    return args[0];
  PyErr_Format(PyExc_TypeError, "%s() takes exactly one argument: %s", method, name);
  return nullptr;
}

} // namespace loopgauge::py
