// Writing of stream transports. The behaviour is _SelectorSocketTransport's.

#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "loops/native/held_back.hpp"
#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

constexpr const char* kWriteError = "Fatal write error on socket transport";

// Small writes of a turn leave together, when it ends (see flush_after_turn()): header and body
// are one system call and one segment. A larger one is sent at once: held back, 32 x 64 KiB alive
// per turn cost 160 %.
constexpr std::size_t kHeldBack = 4096;
// But who writes large pieces again and again in one callback sends in bulk. From the second of a
// turn on they are joined, until the callback returns: 256 KiB in one system call of a writer of
// 64 KiB pieces cost 20 % less than in four.
constexpr std::size_t kJoined = 192 * 1024;

// What the kernel did not take is sent when it can.
int wait_to_write(SocketTransport* transport) {
  const ConnectionContext context(transport);
  if (listen_to(transport, Side::writer, "_write_ready") < 0)
    return fatal_error(transport, kWriteError);
  return maybe_pause_protocol(transport);
}

int fail_write(SocketTransport* transport, int error) {
  const ConnectionContext context(transport);
  transport->queue.clear();
  return fatal_errno(transport, error, kWriteError);
}

// Offers the whole queue to the kernel.
int send_queue(SocketTransport* transport) {
  transport->held_back = 0;
  if (!owns_descriptor(transport))
    return fail_write(transport, EBADF);
  const core::Result<ssize_t> sent = transport->queue.send(transport->fd);
  if (!sent.ok() && !would_block(sent.error))
    return fail_write(transport, sent.error);
  return transport->queue.empty() ? 0 : wait_to_write(transport);
}

int push(SocketTransport* transport, PyObject* bytes, std::size_t skip) {
  try {
    transport->queue.push(bytes, skip);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  return 0;
}

// True if `size` more bytes may wait: nothing else is waiting, and they are few, or immutable and
// not the first large ones.
bool can_hold_back(SocketTransport* transport, std::size_t size, bool immutable) {
  if (transport->queue.bytes() != transport->held_back || !runs_in_callback(transport))
    return false;
  const std::size_t held = transport->held_back + size;
  if (held <= kHeldBack)
    return flush_after_turn(transport);
  const std::uint32_t turn = transport->loop->turn;
  const bool again = std::exchange(transport->bulk_turn, turn) == turn;
  return again && immutable && held <= kJoined && flush_after_callback(transport);
}

int hold_back(SocketTransport* transport, PyObject* bytes) {
  if (push(transport, bytes, 0) < 0)
    return -1;
  transport->held_back += static_cast<std::uint32_t>(PyBytes_GET_SIZE(bytes));
  return 0;
}

// A snapshot: its owner may change it before it is sent.
PyObject* snapshot(const Py_buffer& view, Py_ssize_t skip) {
  return PyBytes_FromStringAndSize(static_cast<const char*>(view.buf) + skip, view.len - skip);
}

int hold_back_copy(SocketTransport* transport, const Py_buffer& view) {
  const auto size = static_cast<std::size_t>(view.len);
  RecycledBytes& snapshots = transport->loop->snapshots;
  const RoomyBytes copy = snapshots.take(size);
  if (!copy.object)
    return -1;
  std::memcpy(copy.data(), view.buf, size);
  copy.trim(size);
  const int held = hold_back(transport, copy.object);
  snapshots.give_back(copy);
  return held;
}

// Sends `view` at once and queues the rest; `bytes` is its object if that is immutable.
int send_now(SocketTransport* transport, const Py_buffer& view, PyObject* bytes) {
  if (!owns_descriptor(transport))
    return fail_write(transport, EBADF);
  const core::Result<ssize_t> sent = core::sys::checked(
      ::send(transport->fd, view.buf, static_cast<std::size_t>(view.len), MSG_NOSIGNAL));
  if (!sent.ok() && !would_block(sent.error))
    return fail_write(transport, sent.error);
  const Py_ssize_t taken = sent.ok() ? sent.value : 0;
  if (taken == view.len)
    return 0;
  const Ref rest(bytes ? Py_NewRef(bytes) : snapshot(view, taken));
  if (!rest || push(transport, rest.get(), bytes ? static_cast<std::size_t>(taken) : 0) < 0)
    return -1;
  return wait_to_write(transport);
}

// `view` is not empty.
int write_view(SocketTransport* transport, const Py_buffer& view, PyObject* bytes) {
  const bool nothing_queued = transport->queue.empty();
  const bool hold = can_hold_back(transport, static_cast<std::size_t>(view.len), bytes);
  if (nothing_queued && !hold)
    return send_now(transport, view, bytes);
  if (hold)
    return bytes ? hold_back(transport, bytes) : hold_back_copy(transport, view);
  const Ref owner(bytes ? Py_NewRef(bytes) : snapshot(view, 0));
  if (!owner)
    return -1;
  if (push(transport, owner.get(), 0) < 0)
    return -1;
  return transport->held_back ? send_queue(transport) : maybe_pause_protocol(transport);
}

// Throws std::bad_alloc.
int write_chunks(SocketTransport* transport, const std::vector<Ref>& chunks, std::size_t total) {
  const bool hold = can_hold_back(transport, total, true);
  for (const Ref& chunk : chunks)
    transport->queue.push(chunk.get());
  if (!hold)
    return send_queue(transport);
  transport->held_back += static_cast<std::uint32_t>(total);
  return 0;
}

// A copy of any contiguous buffer.
PyObject* bytes_of(PyObject* object) {
  Py_buffer view;
  if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
    return nullptr;
  PyObject* bytes = snapshot(view, 0);
  PyBuffer_Release(&view);
  return bytes;
}

int refuse_write(const SocketTransport* transport, const char* after_eof, const char* in_sendfile) {
  if (!transport->eof && !transport->empty_waiter)
    return 0;
  PyErr_SetString(PyExc_RuntimeError, transport->eof ? after_eof : in_sendfile);
  return -1;
}

int write_object(SocketTransport* transport, PyObject* data) {
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_Format(PyExc_TypeError,
                 "data argument must be a bytes, bytearray, or memoryview object, not '%s'",
                 Py_TYPE(data)->tp_name);
#else
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not '%s'",
                 Py_TYPE(data)->tp_name);
#endif
    return -1;
  }
  if (refuse_write(transport, "Cannot call write() after write_eof()",
                   "unable to write; sendfile is in progress") < 0)
    return -1;
  const Py_ssize_t length = PyObject_Size(data);
  if (length <= 0)
    return length < 0 ? -1 : 0;
  if (transport->conn_lost)
    return note_lost_write(transport, "socket.send() raised exception.");
  if (PyBytes_Check(data)) {
    Py_buffer view{};
    view.buf = PyBytes_AS_STRING(data);
    view.len = PyBytes_GET_SIZE(data); // a subclass may have a length of its own
    return write_view(transport, view, data);
  }
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
    return fatal_error(transport, kWriteError); // as CPython, whose send() raises it
  const int result = write_view(transport, view, nullptr);
  PyBuffer_Release(&view);
  return result;
}

// Settles the future of sendfile(), if it waits.
int settle_empty_waiter(SocketTransport* transport, PyObject* exception) {
  if (!transport->empty_waiter)
    return 0;
  const Ref waiter = Ref::borrow(transport->empty_waiter);
  const Ref done(exception ? PyObject_CallMethod(waiter.get(), "set_exception", "O", exception)
                           : PyObject_CallMethod(waiter.get(), "set_result", "O", Py_None));
  return done ? 0 : -1;
}

int fail_write_ready(SocketTransport* transport, int error) {
  raise_os_error(error);
  const Ref exception(take_exception());
  restore_exception(Py_NewRef(exception.get()));
  transport->queue.clear();
  if (fatal_error(transport, kWriteError) < 0)
    return -1;
  return settle_empty_waiter(transport, exception.get());
}

int shut_down(SocketTransport* transport) {
  if (!owns_descriptor(transport))
    return raise_os_error(EBADF);
  return ::shutdown(transport->fd, SHUT_WR) < 0 ? raise_os_error(errno) : 0;
}

int wrote_everything(SocketTransport* transport) {
  if (mute(transport->loop, transport->fd, Side::writer) < 0 ||
      settle_empty_waiter(transport, nullptr) < 0)
    return -1;
  if (transport->closing && !transport->conn_lost) {
    ++transport->conn_lost;
    return lose_connection(transport, Py_None);
  }
  return transport->eof ? shut_down(transport) : 0;
}

} // namespace

int stream_write_bytes(SocketTransport* transport, PyObject* bytes) {
  return write_object(transport, bytes);
}

PyObject* stream_write(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* data = only_argument("write", "data", args, nargs, kwnames);
  if (!data || write_object(as_stream(self), data) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

// The chunks of a list as bytes objects, empty ones left out: one of a wrong type must not leave
// half of the list written. False with an exception.
static bool collect_chunks(PyObject* list, std::vector<Ref>& chunks, std::size_t* total) {
  const Ref fast(PySequence_Fast(list, "can only write an iterable of bytes-like objects"));
  if (!fast)
    return false;
  chunks.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(fast.get())));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); ++i) {
    Ref item =
        Ref::borrow(PySequence_Fast_GET_ITEM(fast.get(), i)); // __buffer__ may change the list
    Ref bytes = PyBytes_CheckExact(item.get()) ? std::move(item) : Ref(bytes_of(item.get()));
    if (!bytes)
      return false;
    if (PyBytes_GET_SIZE(bytes.get()) > 0) {
      *total += static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()));
      chunks.push_back(std::move(bytes));
    }
  }
  return true;
}

PyObject* stream_writelines(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                            PyObject* kwnames) {
  SocketTransport* transport = as_stream(self);
  PyObject* list = only_argument("writelines", "list_of_data", args, nargs, kwnames);
  if (!list)
    return nullptr;
  if (refuse_write(transport, "Cannot call writelines() after write_eof()",
                   "unable to writelines; sendfile is in progress") < 0)
    return nullptr;
  std::vector<Ref> chunks;
  std::size_t total = 0;
  int result = 0;
  try {
    if (!collect_chunks(list, chunks, &total))
      return nullptr;
    if (transport->conn_lost)
      result = note_lost_write(transport, "socket.send() raised exception.");
    else if (total > 0)
      result = write_chunks(transport, chunks, total);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  return result < 0 ? nullptr : Py_NewRef(Py_None);
}

PyObject* stream_write_eof(PyObject* self, PyObject*) {
  SocketTransport* transport = as_stream(self);
  if (transport->closing || transport->eof)
    Py_RETURN_NONE;
  if (transport->kind->flush(transport) < 0)
    return nullptr;
  transport->eof = true;
  if (transport->queue.empty() && !transport->closing && shut_down(transport) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* stream_write_ready(PyObject* self, PyObject*) {
  SocketTransport* transport = as_stream(self);
  if (transport->conn_lost || !transport->loop)
    Py_RETURN_NONE;
  int result;
  transport->held_back = 0;
  core::Result<ssize_t> sent{};
  if (!owns_descriptor(transport))
    sent.error = EBADF;
  else if (!transport->queue.empty())
    sent = transport->queue.send(transport->fd);
  if (!sent.ok() && !would_block(sent.error))
    result = fail_write_ready(transport, sent.error);
  else if (sent.ok())
    result = maybe_resume_protocol(transport); // may write
  else
    Py_RETURN_NONE;
  if (result == 0 && !transport->conn_lost && transport->loop && transport->queue.empty())
    result = wrote_everything(transport);
  return result < 0 ? nullptr : Py_NewRef(Py_None);
}

std::size_t stream_buffered(const Transport* transport) {
  const auto* stream = static_cast<const SocketTransport*>(transport);
  return stream->queue.bytes() - stream->held_back;
}

std::size_t stream_unsent(const Transport* transport) {
  return static_cast<const SocketTransport*>(transport)->queue.bytes();
}

// What is held back counts as sent: it is offered to the kernel, once.
void stream_drop_buffer(Transport* transport) {
  SocketTransport* stream = as_stream(transport);
  if (stream->held_back && owns_descriptor(stream))
    (void)stream->queue.send(stream->fd);
  stream->queue.clear();
  stream->held_back = 0;
}

int stream_flush(Transport* transport) {
  SocketTransport* stream = as_stream(transport);
  return stream->held_back && stream->loop ? send_queue(stream) : 0;
}

int stream_lost(Transport* transport) {
  SocketTransport* stream = as_stream(transport);
  stream->queue.clear();
  if (!stream->empty_waiter)
    return 0;
  const Ref done(PyObject_CallMethod(stream->empty_waiter, "done", nullptr));
  if (!done || done.get() == Py_True)
    return done ? 0 : -1;
  const Ref error(
      PyObject_CallFunction(PyExc_ConnectionError, "s", "Connection is closed by peer"));
  return error ? settle_empty_waiter(stream, error.get()) : -1;
}

} // namespace loopgauge::py
