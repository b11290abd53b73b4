// Outgoing records: from the application through the ssl module to the transport.

#include <algorithm>
#include <cstring>

#include "loops/native/loop.hpp"
#include "loops/native/memory_window.hpp"
#include "loops/native/stream.hpp"
#include "loops/native/tls.hpp"

namespace loopgauge::py {
namespace {

// Ciphertext of a large write goes to the transport in pieces of this size: while one is in the
// processor's cache, and before the MemoryBIO has grown to the size of the write.
constexpr Py_ssize_t kSendSize = 16 * kRecordSize;

// One call of the ssl module. The number of bytes it took, or -1 with an exception.
Py_ssize_t encrypt_object(TlsBase* tls, PyObject* data) {
  const Ref encrypt = Ref::borrow(tls->encrypt);
  const Ref count(PyObject_CallOneArg(encrypt.get(), data));
  return count ? PyLong_AsSsize_t(count.get()) : -1;
}

int send_ciphertext(TlsBase* tls) {
  const Ref drain = Ref::borrow(tls->drain);
  const Ref data(PyObject_CallNoArgs(drain.get()));
  const Py_ssize_t size = data ? PyObject_Size(data.get()) : -1;
  if (size <= 0)
    return size < 0 ? -1 : 0;
  const Ref transport = Ref::borrow(tls->transport);
  if (Py_IS_TYPE(transport.get(), tls->state->socket_transport_type) &&
      PyBytes_CheckExact(data.get()))
    return stream_write_bytes(as_stream(transport.get()), data.get());
  PyObject* arguments[] = {transport.get(), data.get()};
  const Ref result(PyObject_VectorcallMethod(tls->state->tls.names.write, arguments,
                                             2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  return result ? 0 : -1;
}

// Encrypts record by record. 0: all of it, or as much as the ssl module takes now (`*count`).
// `may_send` is what holds for the whole write: the transport may pause us in the middle of it,
// and still gets all of it, as it does from CPython, which hands it over in one piece.
int encrypt_memory(TlsBase* tls, const char* data, Py_ssize_t size, bool may_send,
                   Py_ssize_t* count) {
  TlsState& state = tls->state->tls;
  OpenWindow window(state.window_type, &state.spare_window, data, size);
  if (!window.get())
    return -1;
  Py_ssize_t sent = 0;
  while (*count < size) {
    window.move(data + *count, std::min(size - *count, kRecordSize));
    const Py_ssize_t taken = encrypt_object(tls, window.get());
    if (taken < 0)
      return wants_more(state) ? 0 : -1;
    *count += taken;
    if (*count - sent >= kSendSize && *count < size && may_send) {
      if (send_ciphertext(tls) < 0)
        return -1;
      sent = *count;
    }
  }
  return 0;
}

Py_ssize_t bytes_in(PyObject* data) {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
    return -1;
  const Py_ssize_t size = view.len;
  PyBuffer_Release(&view);
  return size;
}

int encrypt_buffer(TlsBase* tls, PyObject* data, bool may_send, Py_ssize_t* count) {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
    return -1;
  const int result =
      encrypt_memory(tls, static_cast<const char*>(view.buf), view.len, may_send, count);
  PyBuffer_Release(&view);
  return result;
}

// What the backlog keeps of `data`: bytes, which nobody changes until they are encrypted. What has
// no buffer stays itself, for the error that encrypting it raises.
Ref snapshot(PyObject* data, Py_ssize_t from) {
  if (PyBytes_CheckExact(data) && from == 0)
    return Ref::borrow(data);
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    return Ref::borrow(data);
  }
  Ref copy(PyBytes_FromStringAndSize(static_cast<const char*>(view.buf) + from, view.len - from));
  PyBuffer_Release(&view);
  return copy;
}

int append_to_backlog(TlsBase* tls, PyObject* data, Py_ssize_t from) {
  const Ref kept = snapshot(data, from);
  if (!kept)
    return -1;
  const Ref appended(
      PyObject_CallMethodOneArg(tls->write_backlog, tls->state->names.append, kept.get()));
  const Py_ssize_t size = appended ? PyObject_Size(kept.get()) : -1;
  if (size < 0)
    return -1;
  tls->write_buffer_size += size;
  return 0;
}

// Takes `count` encrypted bytes off the front of the backlog, and what is empty there.
int drop_from_backlog(TlsBase* tls, Py_ssize_t count) {
  const Ref backlog = Ref::borrow(tls->write_backlog);
  while (PyObject_Size(backlog.get()) > 0) {
    const Ref first(PySequence_GetItem(backlog.get(), 0));
    const Py_ssize_t size = first ? PyObject_Size(first.get()) : -1;
    if (size < 0)
      return -1;
    if (count < size) {
      const Ref rest = count == 0 ? Ref() : snapshot(first.get(), count);
      if (count > 0 && (!rest || PySequence_SetItem(backlog.get(), 0, rest.get()) < 0))
        return -1;
      tls->write_buffer_size -= count;
      return 0;
    }
    const Ref popped(PyObject_CallMethodNoArgs(backlog.get(), tls->state->names.popleft));
    if (!popped)
      return -1;
    tls->write_buffer_size -= size;
    count -= size;
  }
  return PyErr_Occurred() ? -1 : 0;
}

// Copies small writes from the front of the backlog into one record. The number of bytes; 0 if
// there are fewer than two of them.
Py_ssize_t gather(PyObject* backlog, char* record) {
  const Py_ssize_t entries = PyObject_Size(backlog);
  Py_ssize_t used = 0, gathered = 0;
  for (; gathered < entries; ++gathered) {
    const Ref entry(PySequence_GetItem(backlog, gathered));
    if (!entry)
      return -1;
    if (!PyBytes_CheckExact(entry.get()) || PyBytes_GET_SIZE(entry.get()) > kRecordSize - used)
      break;
    std::memcpy(record + used, PyBytes_AS_STRING(entry.get()),
                static_cast<std::size_t>(PyBytes_GET_SIZE(entry.get())));
    used += PyBytes_GET_SIZE(entry.get());
  }
  return gathered < 2 ? 0 : used;
}

int encrypt_backlog(TlsBase* tls, bool may_send) {
  char record[kRecordSize];
  const Ref backlog = Ref::borrow(tls->write_backlog);
  while (PyObject_Size(backlog.get()) > 0) {
    Py_ssize_t expected = gather(backlog.get(), record);
    Py_ssize_t count = 0;
    int result;
    if (expected > 0) {
      result = encrypt_memory(tls, record, expected, may_send, &count);
    } else {
      const Ref first(expected < 0 ? nullptr : PySequence_GetItem(backlog.get(), 0));
      expected = first ? PyObject_Size(first.get()) : -1;
      result = expected < 0 ? -1 : encrypt_buffer(tls, first.get(), may_send, &count);
    }
    if (result < 0 || drop_from_backlog(tls, count) < 0)
      return -1;
    if (count < expected)
      return 0; // the ssl module wants to read first
  }
  return PyErr_Occurred() ? -1 : 0;
}

// SSLProtocol._control_app_writing; what it does when a limit is crossed is CPython's.
int control_app_writing(TlsBase* tls, Py_ssize_t pending) {
  const Py_ssize_t size = pending + tls->write_buffer_size;
  const Py_ssize_t high = tls->outgoing_high.value, low = tls->outgoing_low.value;
  const bool crossed = tls->app_writing_paused ? size <= low : size >= high;
  if (!crossed && high >= 0 && low >= 0)
    return 0;
  const Ref result(call_stock_tls(tls, tls->state->tls.names.control_app_writing, nullptr));
  return result ? 0 : -1;
}

int send_what_is_encrypted(TlsBase* tls, bool may_send) {
  if (may_send)
    return send_ciphertext(tls) < 0 ? -1 : control_app_writing(tls, 0);
  const Py_ssize_t pending = tls_pending(tls, tls->outgoing);
  return pending < 0 ? -1 : control_app_writing(tls, pending);
}

bool accepts_data(const TlsBase* tls) {
  return has_c_methods(tls) && (is_wrapped(tls) || tls->ssl_state == tls->state->tls.do_handshake);
}

// Encrypts what fits in a record with one call, and anything else from its memory.
int encrypt_any(TlsBase* tls, PyObject* data, bool may_send, Py_ssize_t* count) {
  if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) > kRecordSize)
    return encrypt_buffer(tls, data, may_send, count);
  const Py_ssize_t taken = encrypt_object(tls, data);
  if (taken < 0)
    return wants_more(tls->state->tls) ? 0 : -1;
  *count = taken;
  return 0;
}

// What could not be encrypted stays in the backlog, as CPython leaves it there: the next write
// fails as well.
int keep_failed(TlsBase* tls, PyObject* data, Py_ssize_t count) {
  PyObject* exception = take_exception();
  if (append_to_backlog(tls, data, count) < 0)
    PyErr_Clear();
  restore_exception(exception);
  return -1;
}

// A write that nothing waits in front of: without the backlog, unless something is left.
int write_now(TlsBase* tls, PyObject* data) {
  const bool may_send = !tls->ssl_writing_paused;
  Py_ssize_t count = 0;
  if (encrypt_any(tls, data, may_send, &count) < 0)
    return keep_failed(tls, data, count);
  const Py_ssize_t size = bytes_in(data);
  if (size < 0 || (count < size && append_to_backlog(tls, data, count) < 0))
    return -1;
  return send_what_is_encrypted(tls, may_send);
}

int write_all(TlsBase* tls, PyObject* chunks) {
  const Ref iterator(PyObject_GetIter(chunks));
  if (!iterator)
    return -1;
  while (PyObject* item = PyIter_Next(iterator.get())) {
    const Ref data(item);
    if (append_to_backlog(tls, data.get(), 0) < 0)
      return -1;
  }
  if (PyErr_Occurred())
    return -1;
  if (!is_wrapped(tls))
    return 0;
  return tls_write_backlog(tls) < 0 ? tls_fatal(tls) : 0;
}

// ---- methods ----------------------------------------------------------------------------------

PyObject* write_appdata(PyObject* self, PyObject* chunks) {
  TlsBase* tls = as_tls(self);
  if (!accepts_data(tls))
    return call_stock_tls(tls, tls->state->tls.names.write_appdata, chunks);
  if (write_all(tls, chunks) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* do_write(PyObject* self, PyObject*) {
  if (tls_write_backlog(as_tls(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* process_outgoing(PyObject* self, PyObject*) {
  if (tls_send(as_tls(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

// ---- methods of the application's transport ---------------------------------------------------

bool is_bytes_like(PyObject* data) {
  return PyBytes_Check(data) || PyByteArray_Check(data) || PyMemoryView_Check(data);
}

// _SSLProtocolTransport.write
PyObject* transport_write(PyObject* self, PyTypeObject* type, PyObject* const* args,
                          Py_ssize_t nargs, PyObject* kwnames) {
  ModuleState* state = state_of(type);
  PyObject* data = only_argument("write", "data", args, nargs, kwnames);
  if (!data)
    return nullptr;
  if (!is_bytes_like(data)) {
    PyErr_Format(PyExc_TypeError, "data: expecting a bytes-like instance, got %s",
                 _PyType_Name(Py_TYPE(data)));
    return nullptr;
  }
  const int truth = PyObject_IsTrue(data);
  if (truth <= 0)
    return truth < 0 ? nullptr : Py_NewRef(Py_None);
  const Ref protocol(PyObject_GetAttr(self, state->tls.names.ssl_protocol));
  if (!protocol)
    return nullptr;
  if (!is_tls(state, protocol.get())) {
    const Ref chunks(PyTuple_Pack(1, data));
    return chunks ? PyObject_CallMethodOneArg(protocol.get(), state->tls.names.write_appdata,
                                              chunks.get())
                  : nullptr;
  }
  if (tls_write(as_tls(protocol.get()), data) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

} // namespace

int tls_write(TlsBase* tls, PyObject* data) {
  if (!accepts_data(tls)) {
    const Ref chunks(PyTuple_Pack(1, data));
    const Ref result(chunks ? call_stock_tls(tls, tls->state->tls.names.write_appdata, chunks.get())
                            : nullptr);
    return result ? 0 : -1;
  }
  if (!is_wrapped(tls))
    return append_to_backlog(tls, data, 0);
  const Py_ssize_t waiting = PyObject_Size(tls->write_backlog);
  if (waiting < 0)
    return -1;
  if (waiting > 0 && append_to_backlog(tls, data, 0) < 0)
    return -1;
  return (waiting > 0 ? tls_write_backlog(tls) : write_now(tls, data)) < 0 ? tls_fatal(tls) : 0;
}

int tls_write_backlog(TlsBase* tls) {
  if (!has_c_methods(tls)) {
    const Ref result(call_stock_tls(tls, tls->state->tls.names.do_write, nullptr));
    return result ? 0 : -1;
  }
  const bool may_send = !tls->ssl_writing_paused;
  return encrypt_backlog(tls, may_send) < 0 ? -1 : send_what_is_encrypted(tls, may_send);
}

int tls_send(TlsBase* tls) {
  if (!has_c_methods(tls)) {
    const Ref result(call_stock_tls(tls, tls->state->tls.names.process_outgoing, nullptr));
    return result ? 0 : -1;
  }
  return send_what_is_encrypted(tls, !tls->ssl_writing_paused);
}

PyMethodDef tls_write_methods[] = {
    {"_write_appdata", write_appdata, METH_O, nullptr},
    {"_do_write", do_write, METH_NOARGS, nullptr},
    {"_process_outgoing", process_outgoing, METH_NOARGS, nullptr},
    {},
};

PyMethodDef tls_transport_methods[] = {
    {"write", as_method(transport_write), METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "write($self, data)\n--\n\nEncrypts data and sends it, now or when the peer takes it."},
    {},
};

} // namespace loopgauge::py
