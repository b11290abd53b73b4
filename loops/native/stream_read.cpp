// Reading of stream transports. The behaviour is _SelectorSocketTransport's.

#include <algorithm>
#include <cstring>

#include "loops/native/stream.hpp"
#include "loops/native/tls.hpp"

namespace loopgauge::py {
namespace {

constexpr const char* kReadError = "Fatal read error on socket transport";

int stop_listening(SocketTransport* transport) {
  return transport->loop && clear_handle(transport->loop, transport->fd, Side::reader) < 0 ? -1 : 0;
}

int received_eof(SocketTransport* transport) {
  if (transport->ended) // resume_reading() after the end: a protocol hears of the end once
    return stop_listening(transport);
  if (log_debug(transport, "%r received EOF") < 0)
    return -1;
  const Ref answer(call_protocol(transport, transport->loop->state->names.eof_received, nullptr));
  const int keep_open = answer ? PyObject_IsTrue(answer.get()) : -1;
  if (keep_open < 0)
    return fatal_error(transport, "Fatal error: protocol.eof_received() call failed.");
  if (!keep_open)
    return close_transport(transport);
  // It can still write, but there is nothing to read any more.
  // TLS wants to hear of it again where it could not take it (SSLProtocol.eof_received).
  transport->ended =
      transport->protocol && !is_tls(state_of(Py_TYPE(transport)), transport->protocol);
  return stop_listening(transport);
}

int data_received(SocketTransport* transport, PyObject* bytes) {
  const Ref done(call_protocol(transport, transport->loop->state->names.data_received, bytes));
  return done ? 0 : fatal_error(transport, "Fatal error: protocol.data_received() call failed.");
}

int hand_over(SocketTransport* transport, const RoomyBytes& bytes, std::size_t size) {
  bytes.trim(size);
  const Ref loop = Ref::borrow(as_object(transport->loop)); // the buffer must outlive the callback
  const int result = data_received(transport, bytes.object);
  transport->keeps = Py_REFCNT(bytes.object) > 1;
  as_loop(loop.get())->received.give_back(bytes);
  return result;
}

// What was read into the shared buffer.
int hand_over_copy(SocketTransport* transport, const char* data, std::size_t size) {
  if (transport->reading == Reading::tls) {
    const Ref protocol = Ref::borrow(transport->protocol);
    return tls_received(as_tls(protocol.get()), data, static_cast<Py_ssize_t>(size)) == 0
               ? 0
               : fatal_error(transport, "Fatal error: protocol.buffer_updated() call failed.");
  }
  if (transport->reading == Reading::stream_reader) {
    const int fed = feed_stream_reader(transport, data, static_cast<Py_ssize_t>(size));
    if (fed < 0)
      return fatal_error(transport, "Fatal error: protocol.data_received() call failed.");
    if (fed == 1)
      return 0;
  }
  const RoomyBytes bytes = transport->loop->received.take(size);
  if (!bytes.object)
    return -1;
  std::memcpy(bytes.data(), data, size);
  return hand_over(transport, bytes, size);
}

int end_of_data(SocketTransport* transport, ssize_t size, int error) {
  if (size == 0)
    return received_eof(transport);
  return would_block(error) ? 0 : fatal_errno(transport, error, kReadError);
}

// From this size on the copy out of the shared buffer costs more than guessing the size.
constexpr std::size_t kDirect = 16 * 1024;
constexpr std::uint8_t kShortReads = 4; // until the guess is given up

// Room for a message of `size` bytes, and to see that there is no more.
std::uint32_t guess(std::size_t size) {
  const std::size_t room = (size + 4096) & ~std::size_t{4095};
  return static_cast<std::uint32_t>(std::min(room, ReadBuffer::kSize));
}

// Ciphertext is copied three times until it is plaintext: a smaller piece stays in the processor's
// cache (bulk 7 % faster than with all of the buffer).
constexpr std::size_t kTlsRead = 64 * 1024;

int read_through_shared(SocketTransport* transport) {
  char* buffer = transport->loop->reading.shared();
  if (!buffer)
    return -1;
  const std::size_t room = transport->reading == Reading::tls ? kTlsRead : ReadBuffer::kSize;
  const ssize_t size = ::recv(transport->fd, buffer, room, 0);
  if (size <= 0) [[unlikely]]
    return end_of_data(transport, size, errno);
  if (static_cast<std::size_t>(size) >= kDirect && transport->reading == Reading::data)
    transport->direct = guess(static_cast<std::size_t>(size));
  return hand_over_copy(transport, buffer, static_cast<std::size_t>(size));
}

// Large messages: into the bytes object itself, with all the room there is once a read was filled.
// Who keeps an object that is mostly empty pins its memory. So a short one is copied, which is
// cheap, and for a protocol that keeps what it gets any that is less than half full. Without the
// other copies, and with fewer system calls, bulk costs 5 % less.
int read_directly(SocketTransport* transport) {
  const std::size_t room = transport->direct;
  const RoomyBytes bytes = transport->loop->received.take(room);
  if (!bytes.object)
    return -1;
  const ssize_t got = ::recv(transport->fd, bytes.data(), room, 0);
  const int error = errno;
  const auto size = static_cast<std::size_t>(got);
  if (got <= 0) {
    transport->loop->received.give_back(bytes);
    return end_of_data(transport, got, error);
  }
  const bool is_short = size < room / 8;
  if (!is_short) {
    transport->short_reads = 0;
    if (size == room)
      transport->direct = static_cast<std::uint32_t>(ReadBuffer::kSize);
  } else if (++transport->short_reads == kShortReads) {
    transport->short_reads = 0;
    transport->direct = size >= kDirect ? guess(size) : 0;
  }
  if (size >= room / 2 || !(is_short || transport->keeps))
    return hand_over(transport, bytes, size);
  const Ref copy(PyBytes_FromStringAndSize(bytes.data(), got));
  transport->loop->received.give_back(bytes);
  return copy ? data_received(transport, copy.get()) : -1;
}

int read_data(SocketTransport* transport) {
  return transport->direct && transport->reading == Reading::data ? read_directly(transport)
                                                                  : read_through_shared(transport);
}

// The protocol's buffer, writable and not empty. False with an exception.
bool get_protocol_buffer(SocketTransport* transport, Ref& object) {
  const Ref hint(PyLong_FromLong(-1));
  object = Ref(hint ? call_protocol(transport, transport->loop->state->names.get_buffer, hint.get())
                    : nullptr);
  const Py_ssize_t length = object ? PyObject_Size(object.get()) : -1;
  if (length == 0)
    PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
  return length > 0;
}

int read_into_protocol(SocketTransport* transport) {
  Ref object;
  if (!get_protocol_buffer(transport, object))
    return fatal_error(transport, "Fatal error: protocol.get_buffer() call failed.");
  Py_buffer view;
  if (PyObject_GetBuffer(object.get(), &view, PyBUF_WRITABLE) < 0) {
    PyErr_Format(PyExc_TypeError, // as socket.recv_into() has it, whatever the object said
                 "recv_into() argument 1 must be read-write bytes-like object, not %.50s",
                 Py_TYPE(object.get())->tp_name);
    return fatal_error(transport, kReadError);
  }
  const ssize_t size = ::recv(transport->fd, view.buf, static_cast<std::size_t>(view.len), 0);
  const int error = errno;
  PyBuffer_Release(&view);
  if (size == 0)
    return received_eof(transport);
  if (size < 0)
    return would_block(error) ? 0 : fatal_errno(transport, error, kReadError);
  const Ref count(PyLong_FromSsize_t(size));
  const Ref done(
      count ? call_protocol(transport, transport->loop->state->names.buffer_updated, count.get())
            : nullptr);
  return done ? 0 : fatal_error(transport, "Fatal error: protocol.buffer_updated() call failed.");
}

} // namespace

int read_ready(SocketTransport* transport) {
  if (transport->conn_lost || !transport->loop)
    return 0;
  if (transport->paused) // see pause_reading()
    return mute(transport->loop, transport->fd, Side::reader);
  if (!owns_descriptor(transport))
    return fatal_errno(transport, EBADF, kReadError);
  return transport->reading == Reading::buffered ? read_into_protocol(transport)
                                                 : read_data(transport);
}

} // namespace loopgauge::py
