// Incoming records: from the transport through the ssl module to the application.
//
// A read ends without asking the ssl module once more, which would raise: as OpenSSL hands out one
// record a call, less than was asked for means that the record is used up, and an empty MemoryBIO
// that there is no other.

#include <cstring>

#include "loops/native/memory_window.hpp"
#include "loops/native/stream.hpp"
#include "loops/native/tls.hpp"

namespace loopgauge::py {
namespace {

enum class Outcome { failed, drained, full, closed };

// Decrypts into `size` bytes at `data`, record by record. `*count`: how many arrived.
Outcome decrypt_into(TlsBase* tls, char* data, Py_ssize_t size, Py_ssize_t* count) {
  TlsState& state = tls->state->tls;
  OpenWindow window(state.window_type, &state.spare_window, data, size);
  if (!window.get())
    return Outcome::failed;
  const Ref decrypt = Ref::borrow(tls->decrypt);
  *count = 0;
  while (*count < size) {
    window.move(data + *count, size - *count);
    PyObject* arguments[] = {nullptr, state.zero, window.get()};
    const Ref read(PyObject_Vectorcall(decrypt.get(), arguments + 1,
                                       2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!read)
      return wants_more(state) ? Outcome::drained : Outcome::failed;
    const Py_ssize_t bytes = PyLong_AsSsize_t(read.get());
    if (bytes < 0)
      return Outcome::failed;
    if (bytes == 0)
      return Outcome::closed;
    *count += bytes;
    if (*count == size)
      break;
    const Py_ssize_t pending = tls_pending(tls, tls->incoming);
    if (pending <= 0)
      return pending < 0 ? Outcome::failed : Outcome::drained;
  }
  return Outcome::full;
}

// What one packet held: in the caller's buffer, or in `bytes` where it was too small.
struct Plaintext {
  const char* data;
  Py_ssize_t size = 0;
  Ref bytes;
};

// Goes on where `small` ended, full: large packets are decrypted where they stay.
Outcome decrypt_rest(TlsBase* tls, const char* small, Plaintext* plain) {
  PyObject* bytes = nullptr;
  Outcome outcome = Outcome::full;
  while (outcome == Outcome::full) {
    const Py_ssize_t pending = tls_pending(tls, tls->incoming);
    if (pending < 0)
      break;
    // A record that began in an earlier packet can be larger than what is pending.
    const Py_ssize_t capacity = plain->size + pending + kRecordSize;
    if (bytes) {
      if (_PyBytes_Resize(&bytes, capacity) < 0)
        return Outcome::failed;
    } else {
      bytes = PyBytes_FromStringAndSize(nullptr, capacity);
      if (!bytes)
        return Outcome::failed;
      std::memcpy(PyBytes_AS_STRING(bytes), small, static_cast<std::size_t>(plain->size));
    }
    Py_ssize_t count;
    outcome =
        decrypt_into(tls, PyBytes_AS_STRING(bytes) + plain->size, capacity - plain->size, &count);
    plain->size += count;
  }
  if (outcome == Outcome::failed || outcome == Outcome::full) {
    Py_XDECREF(bytes);
    return Outcome::failed;
  }
  if (_PyBytes_Resize(&bytes, plain->size) < 0)
    return Outcome::failed;
  plain->bytes = Ref(bytes);
  plain->data = PyBytes_AS_STRING(bytes);
  return outcome;
}

// Small packets go through the caller's stack, which leaves no memory to give back.
Outcome decrypt_all(TlsBase* tls, char (&small)[kRecordSize], Plaintext* plain) {
  plain->data = small;
  const Outcome outcome = decrypt_into(tls, small, kRecordSize, &plain->size);
  return outcome == Outcome::full ? decrypt_rest(tls, small, plain) : outcome;
}

int deliver(TlsBase* tls, Plaintext& plain) {
  const Ref protocol = Ref::borrow(tls->app_protocol);
  if (can_feed_stream_reader(tls->state, protocol.get())) {
    const int fed = feed_stream_reader(tls->state, protocol.get(), plain.data, plain.size);
    if (fed != 0)
      return fed < 0 ? -1 : 0;
  }
  if (!plain.bytes)
    plain.bytes = Ref(PyBytes_FromStringAndSize(plain.data, plain.size));
  if (!plain.bytes)
    return -1;
  PyObject* arguments[] = {protocol.get(), plain.bytes.get()};
  const Ref result(PyObject_VectorcallMethod(tls->state->tls.names.data_received, arguments,
                                             2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  return result ? 0 : -1;
}

int call_method(TlsBase* tls, PyObject* name) {
  const Ref result(PyObject_CallMethodNoArgs(as_object(tls), name));
  return result ? 0 : -1;
}

// The peer has closed its half.
int on_close_notify(TlsBase* tls) {
  const TlsNames& names = tls->state->tls.names;
  if (call_method(tls, names.call_eof_received) < 0)
    return -1;
  return call_method(tls, names.start_shutdown);
}

// SSLProtocol._do_read__copied.
int read_for_protocol(TlsBase* tls) {
  char small[kRecordSize];
  Plaintext plain;
  const Outcome outcome = decrypt_all(tls, small, &plain);
  if (outcome == Outcome::failed || (plain.size > 0 && deliver(tls, plain) < 0))
    return -1;
  return outcome == Outcome::closed ? on_close_notify(tls) : 0;
}

// The application's buffer, of `*wanted` items. Null with an exception.
Ref get_app_buffer(TlsBase* tls, Py_ssize_t* wanted) {
  const Py_ssize_t pending = tls_pending(tls, tls->incoming);
  const Ref hint(pending < 0 ? nullptr : PyLong_FromSsize_t(pending));
  if (!hint)
    return Ref();
  const Ref get_buffer = Ref::borrow(tls->app_get_buffer);
  Ref buffer(PyObject_CallOneArg(get_buffer.get(), hint.get()));
  if (buffer && (*wanted = PyObject_Size(buffer.get())) < 0)
    return Ref();
  return buffer;
}

// Exports the buffer for writing. False with the exception that reading into it raises.
bool export_buffer(TlsBase* tls, PyObject* buffer, Py_buffer* view) {
  if (PyObject_GetBuffer(buffer, view, PyBUF_WRITABLE) == 0)
    return true;
  PyErr_Clear();
  const Ref decrypt = Ref::borrow(tls->decrypt);
  const Ref refused(
      PyObject_CallFunctionObjArgs(decrypt.get(), tls->state->tls.zero, buffer, nullptr));
  if (refused)
    PyErr_SetString(PyExc_BufferError, "get_buffer() returned an object that is not writable");
  return false;
}

// SSLProtocol._do_read__buffered.
int read_for_buffered_protocol(TlsBase* tls) {
  const TlsNames& names = tls->state->tls.names;
  Py_ssize_t wanted;
  const Ref buffer = get_app_buffer(tls, &wanted);
  Py_buffer view;
  if (!buffer || !export_buffer(tls, buffer.get(), &view))
    return -1;
  Py_ssize_t count = 0;
  Outcome outcome = Outcome::closed; // of an empty buffer, as CPython has it
  if (view.len > 0)
    outcome = decrypt_into(tls, static_cast<char*>(view.buf), view.len, &count);
  PyBuffer_Release(&view);
  if (outcome == Outcome::failed)
    return -1;
  if (outcome == Outcome::full) {
    const Ref again(PyObject_GetAttr(as_object(tls), names.do_read));
    const Ref handle(again ? PyObject_CallMethodOneArg(tls->loop, names.call_soon, again.get())
                           : nullptr);
    if (!handle)
      return -1;
  }
  if (count > 0) {
    const Ref bytes(PyLong_FromSsize_t(count));
    const Ref updated = Ref::borrow(tls->app_buffer_updated);
    const Ref result(bytes ? PyObject_CallOneArg(updated.get(), bytes.get()) : nullptr);
    if (!result)
      return -1;
  }
  return outcome == Outcome::closed ? on_close_notify(tls) : 0;
}

// SSLProtocol._control_ssl_reading; what it does when a limit is crossed is CPython's.
int control_ssl_reading(TlsBase* tls) {
  const Py_ssize_t size = tls_pending(tls, tls->incoming);
  if (size < 0)
    return -1;
  const Py_ssize_t high = tls->incoming_high.value, low = tls->incoming_low.value;
  const bool crossed = tls->ssl_reading_paused ? size <= low : size >= high;
  if (!crossed && high >= 0 && low >= 0)
    return 0;
  const Ref result(call_stock_tls(tls, tls->state->tls.names.control_ssl_reading, nullptr));
  return result ? 0 : -1;
}

int read_and_answer(TlsBase* tls) {
  if (!tls->app_reading_paused) {
    if ((tls->app_protocol_is_buffer ? read_for_buffered_protocol(tls) : read_for_protocol(tls)) <
        0)
      return -1;
    const Py_ssize_t waiting = PyObject_Size(tls->write_backlog);
    if (waiting < 0 || (waiting > 0 ? tls_write_backlog(tls) : tls_send(tls)) < 0)
      return -1;
  }
  return control_ssl_reading(tls);
}

// What SSLProtocol.buffer_updated does with a packet in the state it finds.
int on_packet(TlsBase* tls) {
  const TlsState& state = tls->state->tls;
  if (tls->ssl_state == state.wrapped)
    return tls_read(tls);
  if (tls->ssl_state == state.do_handshake)
    return call_method(tls, state.names.do_handshake);
  if (tls->ssl_state == state.flushing)
    return call_method(tls, state.names.do_flush);
  if (tls->ssl_state == state.shutdown)
    return call_method(tls, state.names.do_shutdown);
  return 0;
}

// For ssl objects that are not the standard library's own: as any other transport would.
int receive_by_copy(TlsBase* tls, const char* data, Py_ssize_t size) {
  const TlsNames& names = tls->state->tls.names;
  const Ref count(PyLong_FromSsize_t(size));
  const Ref buffer(count ? call_stock_tls(tls, names.get_buffer, count.get()) : nullptr);
  Py_buffer view;
  if (!buffer || PyObject_GetBuffer(buffer.get(), &view, PyBUF_WRITABLE) < 0)
    return -1;
  const bool fits = view.len >= size;
  if (fits)
    std::memcpy(view.buf, data, static_cast<std::size_t>(size));
  PyBuffer_Release(&view);
  if (!fits) {
    PyErr_SetString(PyExc_BufferError, "get_buffer() returned less than was asked for");
    return -1;
  }
  const Ref updated(call_stock_tls(tls, names.buffer_updated, count.get()));
  return updated ? 0 : -1;
}

// ---- methods ----------------------------------------------------------------------------------

// For transports that are not this module's: theirs may hold the buffer while they wait, so it
// belongs to the connection. Made at the first call.
PyObject* get_buffer(PyObject* self, PyObject* hint) {
  TlsBase* tls = as_tls(self);
  if (!has_c_methods(tls) || !tls->receive_view)
    return call_stock_tls(tls, tls->state->tls.names.get_buffer, hint);
  if (PyMemoryView_Check(tls->receive_view) &&
      PyMemoryView_GET_BUFFER(tls->receive_view)->len > 0 && PyLong_CheckExact(hint)) {
    const Py_ssize_t wanted = PyLong_AsSsize_t(hint);
    if (wanted <= PyMemoryView_GET_BUFFER(tls->receive_view)->len && !PyErr_Occurred())
      return Py_NewRef(tls->receive_view);
    PyErr_Clear();
  }
  return call_stock_tls(tls, tls->state->tls.names.get_buffer, hint);
}

PyObject* buffer_updated(PyObject* self, PyObject* size) {
  TlsBase* tls = as_tls(self);
  if (!has_c_methods(tls) || !tls->receive_view || !PyMemoryView_Check(tls->receive_view))
    return call_stock_tls(tls, tls->state->tls.names.buffer_updated, size);
  const Py_buffer* view = PyMemoryView_GET_BUFFER(tls->receive_view);
  const Py_ssize_t bytes = PyLong_AsSsize_t(size);
  if (bytes < 0 || bytes > view->len) {
    PyErr_Clear();
    return call_stock_tls(tls, tls->state->tls.names.buffer_updated, size);
  }
  if (tls_received(tls, static_cast<const char*>(view->buf), bytes) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* do_read(PyObject* self, PyObject*) {
  if (tls_read(as_tls(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* control_ssl_reading_method(PyObject* self, PyObject*) {
  TlsBase* tls = as_tls(self);
  if (!has_c_methods(tls))
    return call_stock_tls(tls, tls->state->tls.names.control_ssl_reading, nullptr);
  if (control_ssl_reading(tls) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

} // namespace

int tls_read(TlsBase* tls) {
  const TlsState& state = tls->state->tls;
  if (!has_c_methods(tls)) {
    const Ref result(call_stock_tls(tls, state.names.do_read, nullptr));
    return result ? 0 : -1;
  }
  if (tls->ssl_state != state.wrapped && tls->ssl_state != state.flushing)
    return 0;
  return read_and_answer(tls) < 0 ? tls_fatal(tls) : 0;
}

int tls_received(TlsBase* tls, const char* data, Py_ssize_t size) {
  TlsState& state = tls->state->tls;
  if (!has_c_methods(tls))
    return receive_by_copy(tls, data, size);
  {
    OpenWindow window(state.window_type, &state.spare_window, data, size);
    const Ref feed = Ref::borrow(tls->feed);
    const Ref fed(window.get() ? PyObject_CallOneArg(feed.get(), window.get()) : nullptr);
    if (!fed)
      return -1;
  }
  return on_packet(tls);
}

PyMethodDef tls_read_methods[] = {
    {"get_buffer", get_buffer, METH_O, "Memory for the transport to receive into."},
    {"buffer_updated", buffer_updated, METH_O, "Takes what the transport received."},
    {"_do_read", do_read, METH_NOARGS, nullptr},
    {"_control_ssl_reading", control_ssl_reading_method, METH_NOARGS, nullptr},
    {},
};

} // namespace loopgauge::py
