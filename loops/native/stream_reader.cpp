// asyncio's own streams: what comes is appended to the StreamReader's buffer without a bytes object
// and two Python calls between (3 to 5 % of a streams echo). Only for the exact, unchanged classes.

#include <cstring>

#include "loops/native/stream.hpp"
#include "loops/native/tls.hpp"

namespace loopgauge::py {
namespace {

// True while `type.name` is the function it was when the module was imported, and `tag` remembers
// the type's version of that moment.
bool remember(PyTypeObject* type, PyObject* name, PyObject* function, unsigned int* tag) {
  const Ref now(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), name));
  PyErr_Clear();
  *tag = now.get() == function ? type->tp_version_tag : 0;
  return *tag != 0;
}

bool is_unchanged(const StreamClasses& classes) {
  return classes.protocol_tag != 0 && classes.protocol->tp_version_tag == classes.protocol_tag &&
         classes.reader->tp_version_tag == classes.reader_tag;
}

// The reader of the protocol: Py_None when it is gone. New reference, null with an exception.
PyObject* reader_of(const ModuleState* state, PyObject* protocol) {
  const Ref weak(PyObject_GetAttr(protocol, state->names.stream_reader_wr));
  if (!weak || weak.get() == Py_None)
    return weak ? Py_NewRef(Py_None) : nullptr;
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* reader;
  const int found = PyWeakref_GetRef(weak.get(), &reader);
  return found < 0 ? nullptr : found == 0 ? Py_NewRef(Py_None) : reader;
#else
  return Py_XNewRef(PyWeakref_GetObject(weak.get()));
#endif
}

bool is_false(PyObject* object, PyObject* name) {
  const Ref value(PyObject_GetAttr(object, name));
  PyErr_Clear();
  return value.get() == Py_False;
}

// True unless somebody gave this one object a method of its own.
bool has_method_of_class(PyObject* object, PyObject* name, PyObject* function) {
  const Ref method(PyObject_GetAttr(object, name));
  PyErr_Clear();
  return method && PyMethod_Check(method.get()) && PyMethod_GET_FUNCTION(method.get()) == function;
}

int append(PyObject* buffer, const char* data, Py_ssize_t size) {
  const Py_ssize_t before = PyByteArray_GET_SIZE(buffer);
  if (PyByteArray_Resize(buffer, before + size) < 0)
    return -1;
  std::memcpy(PyByteArray_AS_STRING(buffer) + before, data, static_cast<std::size_t>(size));
  return 0;
}

// StreamReader._wakeup_waiter
int wake(const Names& names, PyObject* reader) {
  const Ref waiter(PyObject_GetAttr(reader, names.waiter));
  if (!waiter || waiter.get() == Py_None)
    return waiter ? 0 : -1;
  if (PyObject_SetAttr(reader, names.waiter, Py_None) < 0)
    return -1;
  const Ref cancelled(PyObject_CallMethodNoArgs(waiter.get(), names.cancelled));
  if (!cancelled || cancelled.get() == Py_True)
    return cancelled ? 0 : -1;
  const Ref done(PyObject_CallMethodOneArg(waiter.get(), names.set_result, Py_None));
  return done ? 0 : -1;
}

// A reader that holds twice its limit pauses its transport.
int maybe_pause(const Names& names, PyObject* reader, Py_ssize_t held) {
  const Ref limit(PyObject_GetAttr(reader, names.limit));
  const Py_ssize_t bytes = limit ? PyLong_AsSsize_t(limit.get()) : -1;
  if (PyErr_Occurred())
    return -1;
  if (held <= 2 * bytes || !is_false(reader, names.paused))
    return 0;
  const Ref transport(PyObject_GetAttr(reader, names.transport));
  if (!transport || transport.get() == Py_None)
    return transport ? 0 : -1;
  const Ref done(PyObject_CallMethod(transport.get(), "pause_reading", nullptr));
  if (done)
    return PyObject_SetAttr(reader, names.paused, Py_True);
  if (!PyErr_ExceptionMatches(PyExc_NotImplementedError))
    return -1;
  PyErr_Clear();
  return PyObject_SetAttr(reader, names.transport, Py_None);
}

} // namespace

int import_stream_classes(ModuleState* state) {
  StreamClasses& classes = state->streams;
  const Ref module(PyImport_ImportModule("asyncio.streams"));
  const auto type = [&](const char* name) {
    return reinterpret_cast<PyTypeObject*>(module ? PyObject_GetAttrString(module.get(), name)
                                                  : nullptr);
  };
  classes.protocol = type("StreamReaderProtocol");
  classes.reader = type("StreamReader");
  if (!classes.protocol || !classes.reader)
    return -1;
  classes.data_received =
      PyObject_GetAttr(reinterpret_cast<PyObject*>(classes.protocol), state->names.data_received);
  classes.feed_data =
      PyObject_GetAttr(reinterpret_cast<PyObject*>(classes.reader), state->names.feed_data);
  return classes.data_received && classes.feed_data ? 0 : -1;
}

bool can_feed_stream_reader(ModuleState* state, PyObject* protocol) {
  StreamClasses& classes = state->streams;
  // A method given to this one protocol object counts if it was there before the transport.
  if (!Py_IS_TYPE(protocol, classes.protocol) ||
      !has_method_of_class(protocol, state->names.data_received, classes.data_received))
    return false;
  return is_unchanged(classes) ||
         (remember(classes.protocol, state->names.data_received, classes.data_received,
                   &classes.protocol_tag) &&
          remember(classes.reader, state->names.feed_data, classes.feed_data, &classes.reader_tag));
}

int choose_reading(SocketTransport* transport) {
  ModuleState* state = state_of(Py_TYPE(transport));
  transport->reading = Reading::data;
  transport->ended = false; // the new protocol has heard of nothing
  if (is_tls(state, transport->protocol) && has_c_methods(as_tls(transport->protocol))) {
    transport->reading = Reading::tls;
    return 0;
  }
  const Ref buffered(PyObject_GetAttrString(state->protocols_module, "BufferedProtocol"));
  const int is_buffered = buffered ? PyObject_IsInstance(transport->protocol, buffered.get()) : -1;
  if (is_buffered != 0) {
    transport->reading = Reading::buffered;
    return is_buffered < 0 ? -1 : 0;
  }
  if (can_feed_stream_reader(state, transport->protocol))
    transport->reading = Reading::stream_reader;
  return 0;
}

int feed_stream_reader(const ModuleState* state, PyObject* protocol, const char* data,
                       Py_ssize_t size) {
  const StreamClasses& classes = state->streams;
  const Names& names = state->names;
  if (!is_unchanged(classes))
    return 0;
  const Ref reader(reader_of(state, protocol));
  if (!reader)
    return -1;
  if (reader.get() == Py_None)
    return 1;
  if (!Py_IS_TYPE(reader.get(), classes.reader) || !is_false(reader.get(), names.eof) ||
      !has_method_of_class(reader.get(), names.feed_data, classes.feed_data))
    return 0;
  const Ref buffer(PyObject_GetAttr(reader.get(), names.buffer));
  if (!buffer)
    return -1;
  if (!PyByteArray_CheckExact(buffer.get()))
    return 0;
  if (append(buffer.get(), data, size) < 0 || wake(names, reader.get()) < 0)
    return -1;
  return maybe_pause(names, reader.get(), PyByteArray_GET_SIZE(buffer.get())) < 0 ? -1 : 1;
}

} // namespace loopgauge::py
