// Reading and writing of pipe transports.

#include "loops/native/pipe.hpp"

#include <cstring>
#include <new>
#include <sys/uio.h>
#include <unistd.h>

#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

constexpr const char* kReadError = "Fatal read error on pipe transport";
constexpr const char* kWriteError = "Fatal write error on pipe transport";

constexpr std::size_t kPipeSize = 64 * 1024;   // what a pipe holds, unless somebody changed it
constexpr std::size_t kDirect = kPipeSize / 2; // reads of this size are worth no copy

bool is_writer(const PipeTransport* pipe) {
  return PyType_IsSubtype(Py_TYPE(pipe), state_of(Py_TYPE(pipe))->write_pipe_type);
}

// Errors of everyday life, which only debug mode hears of: any that a writer can meet, and for a
// reader the end of a terminal (EIO).
bool is_everyday(const PipeTransport* pipe, PyObject* exception) {
  if (!PyObject_TypeCheck(exception, reinterpret_cast<PyTypeObject*>(PyExc_OSError)))
    return false;
  if (is_writer(pipe))
    return true;
  const Ref number(PyObject_GetAttrString(exception, "errno"));
  const bool is_eio = number && PyLong_Check(number.get()) && PyLong_AsLong(number.get()) == EIO;
  PyErr_Clear();
  return is_eio;
}

// ---- reading -----------------------------------------------------------------------------------

// The protocol's answer to eof_received() counts for nothing: a pipe has no other direction.
int received_eof(ReadPipe* pipe) {
  if (log_info(pipe, "%r was closed by peer") < 0)
    return -1;
  pipe->closing = true;
  if (clear_handle(pipe->loop, pipe->fd, Side::reader) < 0)
    return -1;
  const Ref eof(PyObject_GetAttr(pipe->protocol, pipe->loop->state->names.eof_received));
  if (!eof || call_soon(pipe, eof.get(), nullptr) < 0)
    return -1;
  pipe->over = true;
  return call_own_soon(pipe, "_call_connection_lost", Py_None);
}

// An exception of the protocol is the handle's to report: the pipe stays open.
int data_received(ReadPipe* pipe, PyObject* bytes) {
  const Ref done(call_protocol(pipe, pipe->loop->state->names.data_received, bytes));
  return done ? 0 : -1;
}

int hand_over(ReadPipe* pipe, const RoomyBytes& bytes, std::size_t size) {
  bytes.trim(size);
  const Ref loop = Ref::borrow(as_object(pipe->loop)); // the buffer must outlive the callback
  const int result = data_received(pipe, bytes.object);
  as_loop(loop.get())->received.give_back(bytes);
  return result;
}

// What was read into the shared buffer.
int hand_over_copy(ReadPipe* pipe, const char* data, std::size_t size) {
  if (pipe->feeds_reader) {
    const int fed = feed_stream_reader(pipe, data, static_cast<Py_ssize_t>(size));
    if (fed != 0)
      return fed < 0 ? -1 : 0;
  }
  const RoomyBytes bytes = pipe->loop->received.take(size);
  if (!bytes.object)
    return -1;
  std::memcpy(bytes.data(), data, size);
  return hand_over(pipe, bytes, size);
}

int end_of_data(ReadPipe* pipe, ssize_t size, int error) {
  if (size == 0)
    return received_eof(pipe);
  if (would_block(error))
    return 0;
  raise_os_error(error);
  return fail_pipe(pipe, kReadError);
}

int read_through_shared(ReadPipe* pipe) {
  char* buffer = pipe->loop->reading.shared();
  if (!buffer)
    return -1;
  const ssize_t got = ::read(pipe->fd, buffer, ReadBuffer::kSize);
  if (got <= 0) [[unlikely]]
    return end_of_data(pipe, got, errno);
  const auto size = static_cast<std::size_t>(got);
  pipe->direct = size >= kDirect && !pipe->feeds_reader;
  return hand_over_copy(pipe, buffer, size);
}

// More than a pipe usually holds: its size was raised, or it is a socket.
int hand_over_joined(ReadPipe* pipe, const RoomyBytes& head, const char* tail, std::size_t size) {
  const Ref whole(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
  if (whole) {
    std::memcpy(PyBytes_AS_STRING(whole.get()), head.data(), kPipeSize);
    std::memcpy(PyBytes_AS_STRING(whole.get()) + kPipeSize, tail, size - kPipeSize);
  }
  pipe->loop->received.give_back(head);
  return whole ? data_received(pipe, whole.get()) : -1;
}

// Full pipes: into the bytes object itself. One that would be mostly empty is copied: it would pin
// its memory for as long as the protocol keeps it.
int read_directly(ReadPipe* pipe) {
  RecycledBytes& received = pipe->loop->received;
  char* tail = pipe->loop->reading.shared();
  const RoomyBytes bytes = tail ? received.take(kPipeSize) : RoomyBytes{};
  if (!bytes.object)
    return -1;
  const iovec vectors[] = {{bytes.data(), kPipeSize}, {tail, ReadBuffer::kSize - kPipeSize}};
  const ssize_t got = ::readv(pipe->fd, vectors, 2);
  const int error = errno;
  const auto size = static_cast<std::size_t>(got);
  if (got > 0 && size > kPipeSize)
    return hand_over_joined(pipe, bytes, tail, size);
  if (got > 0 && size >= kDirect)
    return hand_over(pipe, bytes, size);
  pipe->direct = false;
  const Ref copy(got > 0 ? PyBytes_FromStringAndSize(bytes.data(), got) : nullptr);
  received.give_back(bytes);
  if (got <= 0)
    return end_of_data(pipe, got, error);
  return copy ? data_received(pipe, copy.get()) : -1;
}

// ---- writing -----------------------------------------------------------------------------------

int fail_write(WritePipe* pipe, int error) {
  ++pipe->conn_lost;
  raise_os_error(error);
  return fail_pipe(pipe, kWriteError);
}

int queue_rest(WritePipe* pipe, PyObject* bytes, std::size_t skip) {
  try {
    pipe->queue.push(bytes, skip);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  return maybe_pause_protocol(pipe);
}

// A snapshot: its owner may change it before it is sent.
int queue_copy(WritePipe* pipe, const Py_buffer& view, Py_ssize_t skip) {
  const Ref copy(
      PyBytes_FromStringAndSize(static_cast<const char*>(view.buf) + skip, view.len - skip));
  return copy ? queue_rest(pipe, copy.get(), 0) : -1;
}

// Writes at once what the pipe takes, and queues the rest. `bytes` is the view's object if that is
// immutable, else null.
int write_view(WritePipe* pipe, const Py_buffer& view, PyObject* bytes) {
  Py_ssize_t taken = 0;
  if (pipe->queue.empty()) {
    const ssize_t count = ::write(pipe->fd, view.buf, static_cast<std::size_t>(view.len));
    if (count < 0 && !would_block(errno))
      return fail_write(pipe, errno);
    taken = count < 0 ? 0 : count;
    if (taken == view.len)
      return 0;
    if (listen_to(pipe, Side::writer, "_write_ready") < 0)
      return -1;
  }
  return bytes ? queue_rest(pipe, bytes, static_cast<std::size_t>(taken))
               : queue_copy(pipe, view, taken);
}

int wrote_everything(WritePipe* pipe) {
  if (mute(pipe->loop, pipe->fd, Side::writer) < 0 || maybe_resume_protocol(pipe) < 0)
    return -1;
  // resume_writing() may have written, closed or aborted.
  if (!pipe->loop || !pipe->closing || pipe->over || !pipe->queue.empty())
    return 0;
  return lose_pipe(pipe, Py_None);
}

} // namespace

int end_pipe(PipeTransport* pipe, PyObject* exception) {
  if (!pipe->loop || pipe->over)
    return 0;
  pipe->closing = true;
  pipe->kind->drop_buffer(pipe);
  if (is_writer(pipe) && clear_handle(pipe->loop, pipe->fd, Side::writer) < 0)
    return -1;
  if (clear_handle(pipe->loop, pipe->fd, Side::reader) < 0)
    return -1;
  if (call_own_soon(pipe, "_call_connection_lost", exception) < 0)
    return -1;
  pipe->over = true;
  return 0;
}

int fail_pipe(PipeTransport* pipe, const char* message) {
  if (must_leave())
    return -1;
  const Ref exception(take_exception());
  if (report_fatal(pipe, exception.get(), message, is_everyday(pipe, exception.get())) < 0)
    return -1;
  return end_pipe(pipe, exception.get());
}

int lose_pipe(PipeTransport* pipe, PyObject* exception) {
  const Ref keep = Ref::borrow(as_object(pipe));
  if (!pipe->loop)
    return 0;
  pipe->over = true;
  if (is_writer(pipe) && clear_handle(pipe->loop, pipe->fd, Side::writer) < 0)
    return -1;
  if (clear_handle(pipe->loop, pipe->fd, Side::reader) < 0)
    return -1;
  const Ref done(call_protocol(pipe, pipe->loop->state->names.connection_lost, exception));
  const KeepException first;
  if (close_descriptor(pipe) < 0)
    PyErr_WriteUnraisable(as_object(pipe));
  Py_CLEAR(pipe->protocol);
  const Ref loop(reinterpret_cast<PyObject*>(std::exchange(pipe->loop, nullptr)));
  return first.kept ? -1 : 0;
}

int read_pipe_ready(ReadPipe* pipe) {
  if (!pipe->loop || pipe->closing)
    return 0;
  if (pipe->paused) // see pause_reading()
    return mute(pipe->loop, pipe->fd, Side::reader);
  return pipe->direct ? read_directly(pipe) : read_through_shared(pipe);
}

int write_to_pipe(WritePipe* pipe, PyObject* data) {
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    const Ref text(PyObject_Repr(data));
    if (text)
      PyErr_SetObject(PyExc_AssertionError, text.get());
    return -1;
  }
  const Py_ssize_t length = PyObject_Size(data);
  if (length <= 0)
    return length < 0 ? -1 : 0;
  if (pipe->conn_lost || pipe->closing)
    return note_lost_write(pipe, "pipe closed by peer or os.write(pipe, data) raised exception.");
  if (PyBytes_Check(data)) {
    Py_buffer view{};
    view.buf = PyBytes_AS_STRING(data);
    view.len = PyBytes_GET_SIZE(data); // a subclass may have a length of its own
    return write_view(pipe, view, data);
  }
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) { // as CPython, whose os.write() raises it
    ++pipe->conn_lost;
    return fail_pipe(pipe, kWriteError);
  }
  const int result = write_view(pipe, view, nullptr);
  PyBuffer_Release(&view);
  return result;
}

int write_pipe_ready(WritePipe* pipe) {
  if (!pipe->loop || pipe->queue.empty())
    return 0;
  const core::Result<ssize_t> sent = pipe->queue.write(pipe->fd);
  if (!sent.ok())
    return would_block(sent.error) ? 0 : fail_write(pipe, sent.error);
  return pipe->queue.empty() ? wrote_everything(pipe) : 0;
}

int close_write_pipe(WritePipe* pipe) {
  if (pipe->closing || !pipe->loop)
    return 0;
  if (pipe->queue.empty())
    return end_pipe(pipe, Py_None);
  pipe->closing = true;
  return 0;
}

int reader_is_gone(WritePipe* pipe) {
  if (!pipe->loop || pipe->over)
    return 0;
  if (log_info(pipe, "%r was closed by peer") < 0)
    return -1;
  if (pipe->queue.empty())
    return end_pipe(pipe, Py_None);
  const Ref error(PyObject_CallNoArgs(PyExc_BrokenPipeError));
  return error ? end_pipe(pipe, error.get()) : -1;
}

} // namespace loopgauge::py
