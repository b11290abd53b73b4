// Receiving and sending of datagram transports. The behaviour is _SelectorDatagramTransport's.

#include "loops/native/datagram.hpp"

#include <cstddef>
#include <cstring>
#include <new>
#include <sys/un.h>

namespace loopgauge::py {
namespace {

constexpr const char* kReadError = "Fatal read error on datagram transport";
constexpr const char* kWriteError = "Fatal write error on datagram transport";

// Datagrams of one event. Against one per event 16 save a quarter of an echo's time (most of it
// epoll_wait), and 32 no more.
constexpr int kBatch = 16;

// A second read that finds nothing is 0.1 µs lost: after one, this many events are believed to be
// single.
constexpr std::uint8_t kSingleReads = 7;

#if PY_VERSION_HEX >= 0x030D0000
constexpr bool kSendsEmpty = true;     // an empty datagram is one, too
constexpr std::size_t kHeaderSize = 8; // or flow control would never see it
#else
constexpr bool kSendsEmpty = false;
constexpr std::size_t kHeaderSize = 0;
#endif

enum class Sent { yes, refused, failed }; // refused: would block; failed: with an exception

std::size_t cost(PyObject* bytes) {
  return static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)) + kHeaderSize;
}

// ---- addresses ---------------------------------------------------------------------------------

void remember_peer(DatagramTransport* transport, PyObject* object, const SocketAddress& raw) {
  transport->peer_raw = raw;
  Py_XSETREF(transport->peer, Py_NewRef(object));
}

PeerCache* peer_cache(LoopBase* loop) {
  if (!loop->peers)
    loop->peers.reset(new (std::nothrow) PeerCache());
  if (!loop->peers)
    PyErr_NoMemory();
  return loop->peers.get();
}

// A path is compared with the last one only: clients that bind one are few.
PyObject* path_to_python(DatagramTransport* transport, const SocketAddress& raw) {
  if (transport->peer && raw.size == transport->peer_raw.size &&
      std::memcmp(&raw.storage, &transport->peer_raw.storage, raw.size) == 0)
    return Py_NewRef(transport->peer);
  Ref object(address_to_python(raw));
  if (object)
    remember_peer(transport, object.get(), raw);
  return object.release();
}

// The address of a datagram, new reference.
PyObject* sender_to_python(DatagramTransport* transport, const SocketAddress& raw) {
  transport->sender = nullptr;
  if (raw.size == 0) // a Unix socket without a name
    return Py_NewRef(Py_None);
  if (raw.storage.ss_family == AF_UNIX)
    return path_to_python(transport, raw);
  PeerCache* cache = peer_cache(transport->loop);
  transport->sender = cache ? cache->find(raw) : nullptr;
  return transport->sender ? Py_NewRef(transport->sender->object) : nullptr;
}

// An exact str of a path in ASCII. Not the empty one and not an abstract name, whose sizes are
// counted in another way.
bool path_from_python(PyObject* object, SocketAddress* raw) {
  if (!PyUnicode_CheckExact(object) || !PyUnicode_IS_ASCII(object))
    return false;
  const auto* path = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(object));
  const std::size_t size = std::strlen(path);
  auto& address = reinterpret_cast<sockaddr_un&>(raw->storage);
  if (size == 0 || size >= sizeof(address.sun_path) ||
      static_cast<Py_ssize_t>(size) != PyUnicode_GET_LENGTH(object))
    return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, size + 1);
  raw->size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + 1);
  return true;
}

struct RawTarget {
  const sockaddr* address; // null: the socket module has to understand it
  socklen_t size;
};

// Most datagrams go to the very object that the last one came with, or went to: both are immutable.
RawTarget find_target(DatagramTransport* transport, PyObject* object) {
  const PeerCache::Entry* sender = transport->sender;
  if (sender && sender->object == object)
    return {sender->raw(), sender->size};
  if (transport->peer != object) {
    SocketAddress raw;
    if (!(transport->family == AF_UNIX ? path_from_python(object, &raw)
                                       : address_from_python(object, transport->family, &raw)))
      return {nullptr, 0};
    remember_peer(transport, object, raw);
  }
  return {transport->peer_raw.get(), transport->peer_raw.size};
}

// ---- receiving ---------------------------------------------------------------------------------

int tell_error(DatagramTransport* transport) {
  const Ref exception(take_exception());
  const Ref done(
      call_protocol(transport, transport->loop->state->names.error_received, exception.get()));
  return done ? 0 : -1;
}

int call_received(DatagramTransport* transport, PyObject* data, PyObject* sender) {
  PyObject* protocol = transport->protocol ? transport->protocol : Py_None;
  const Ref keep = Ref::borrow(protocol); // set_protocol() inside the call
  PyObject* arguments[] = {nullptr, protocol, data, sender};
  const Ref done(PyObject_VectorcallMethod(transport->loop->state->names.datagram_received,
                                           arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                           nullptr));
  return done ? 0 : -1;
}

int hand_over(DatagramTransport* transport, const char* data, std::size_t size,
              const SocketAddress& raw) {
  LoopBase* loop = transport->loop; // kept by the caller
  const Ref sender(sender_to_python(transport, raw));
  const RoomyBytes bytes = sender ? loop->received.take(size) : RoomyBytes{};
  if (!bytes.object)
    return fatal_error(transport, kReadError);
  std::memcpy(bytes.data(), data, size);
  bytes.trim(size);
  const int result = call_received(transport, bytes.object, sender.get());
  loop->received.give_back(bytes);
  return result;
}

// 1: handed over, 0: there is none, or an error that the protocol was told. -1: an exception.
int receive_one(DatagramTransport* transport) {
  char* buffer = transport->loop->reading.shared();
  if (!buffer)
    return fatal_error(transport, kReadError);
  SocketAddress raw;
  const bool open = owns_descriptor(transport);
  const ssize_t length =
      open ? ::recvfrom(transport->fd, buffer, ReadBuffer::kSize, 0, raw.get(), &raw.size) : -1;
  if (length >= 0) [[likely]]
    return hand_over(transport, buffer, static_cast<std::size_t>(length), raw) < 0 ? -1 : 1;
  const int error = open ? errno : EBADF;
  if (would_block(error))
    return 0;
  raise_os_error(error);
  return tell_error(transport);
}

// ---- sending -----------------------------------------------------------------------------------

// What the socket object says to it, in its own words.
Sent send_by_socket(DatagramTransport* transport, PyObject* data, PyObject* address) {
  PyObject* sock = transport->sock ? transport->sock : Py_None;
  const Ref done(transport->connected ? PyObject_CallMethod(sock, "send", "O", data)
                                      : PyObject_CallMethod(sock, "sendto", "OO", data, address));
  if (done)
    return Sent::yes;
  if (!PyErr_ExceptionMatches(PyExc_BlockingIOError) &&
      !PyErr_ExceptionMatches(PyExc_InterruptedError))
    return Sent::failed;
  PyErr_Clear();
  return Sent::refused;
}

Sent send_bytes(DatagramTransport* transport, const void* bytes, Py_ssize_t length,
                RawTarget target) {
  if (::sendto(transport->fd, bytes, static_cast<std::size_t>(length), MSG_NOSIGNAL, target.address,
               target.size) >= 0) [[likely]]
    return Sent::yes;
  if (would_block(errno))
    return Sent::refused;
  raise_os_error(errno);
  return Sent::failed;
}

// One datagram, as socket.send() or socket.sendto() would.
Sent send_one(DatagramTransport* transport, PyObject* data, PyObject* address) {
  if (!transport->sock || !owns_descriptor(transport))
    return send_by_socket(transport, data, address);
  RawTarget target{nullptr, 0};
  if (!transport->connected) {
    target = find_target(transport, address);
    if (!target.address)
      return send_by_socket(transport, data, address);
    if (PySys_Audit("socket.sendto", "OO", transport->sock, address) < 0)
      return Sent::failed;
  }
  if (PyBytes_Check(data)) [[likely]]
    return send_bytes(transport, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), target);
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
    return Sent::failed;
  const Sent sent = send_bytes(transport, view.buf, view.len, target);
  PyBuffer_Release(&view);
  return sent;
}

// With the exception of a failed send: the protocol hears of the system's, any other is the end.
int send_failed(DatagramTransport* transport) {
  if (!transport->loop) // sendto() of a lost connection raises AttributeError, as CPython's
    return -1;
  if (PyErr_ExceptionMatches(PyExc_OSError))
    return tell_error(transport);
  return fatal_error(transport, kWriteError);
}

int put_back(DatagramTransport* transport, const Datagram& datagram) {
  try {
    transport->queue.push_front(datagram);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  Py_INCREF(datagram.data);
  Py_INCREF(datagram.address);
  transport->queued += cost(datagram.data);
  return 0;
}

int enqueue(DatagramTransport* transport, PyObject* data, PyObject* address) {
  Ref bytes(PyBytes_CheckExact(data)
                ? Py_NewRef(data)
                : PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyBytes_Type), data));
  if (!bytes)
    return -1;
  try {
    transport->queue.push_back({bytes.get(), address});
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  Py_INCREF(address);
  transport->queued += cost(bytes.release());
  return maybe_pause_protocol(transport);
}

int refuse_type(PyObject* data) {
  if (PyBytes_Check(data) || PyByteArray_Check(data) || PyMemoryView_Check(data)) [[likely]]
    return 0;
  const Ref name(PyType_GetName(Py_TYPE(data)));
  if (name)
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not %R", name.get());
  return -1;
}

// A transport with one peer takes its address and None.
int refuse_address(const DatagramTransport* transport, PyObject* address) {
  if (address == Py_None)
    return 0;
  const int same = PyObject_RichCompareBool(address, transport->address, Py_EQ);
  if (same == 0)
    PyErr_Format(PyExc_ValueError, "Invalid address: must be None or %S", transport->address);
  return same == 1 ? 0 : -1;
}

int sent_everything(DatagramTransport* transport) {
  if (mute(transport->loop, transport->fd, Side::writer) < 0)
    return -1;
  if (!transport->closing || transport->conn_lost)
    return 0;
  ++transport->conn_lost;
  return lose_connection(transport, Py_None);
}

} // namespace

// A batch ends as soon as a callback has scheduled another: it runs before the next datagram is
// handed over, as it would in asyncio, which takes one in a turn. So does a batch whose reading was
// paused, closed or stopped: what is left stays in the kernel.
int receive_ready(DatagramTransport* transport) {
  if (transport->conn_lost || !transport->loop)
    return 0;
  if (transport->paused) // see pause_reading()
    return mute(transport->loop, transport->fd, Side::reader);
  LoopBase* loop = transport->loop;
  const Ref keep = Ref::borrow(as_object(loop));
  const std::size_t scheduled = loop->core.ready.size();
  if (transport->single_reads > 0 || (loop->flags & kCompatible)) {
    transport->single_reads -= transport->single_reads > 0;
    return receive_one(transport) < 0 ? -1 : 0;
  }
  for (int count = 0; count < kBatch; ++count) {
    const int received = receive_one(transport);
    if (received <= 0) {
      if (count == 1)
        transport->single_reads = kSingleReads;
      return received;
    }
    if (!transport->loop || !is_reading(transport) || loop->core.stopping ||
        loop->core.ready.size() != scheduled)
      return 0;
  }
  return 0;
}

int send_datagram(DatagramTransport* transport, PyObject* data, PyObject* address) {
  if (refuse_type(data) < 0)
    return -1;
  if constexpr (!kSendsEmpty) {
    const Py_ssize_t length = PyObject_Size(data);
    if (length <= 0)
      return length < 0 ? -1 : 0;
  }
  if (transport->address) {
    if (refuse_address(transport, address) < 0)
      return -1;
    address = transport->address;
    if (transport->conn_lost)
      return note_lost_write(transport, "socket.send() raised exception.");
  }
  if (transport->queue.empty()) {
    const Sent sent = send_one(transport, data, address);
    if (sent == Sent::yes) [[likely]]
      return 0;
    if (sent == Sent::failed)
      return send_failed(transport);
    if (listen_to(transport, Side::writer, "_sendto_ready") < 0)
      return -1;
  }
  return enqueue(transport, data, address);
}

int send_ready(DatagramTransport* transport) {
  if (!transport->loop)
    return 0;
  while (!transport->queue.empty()) {
    const Datagram next = transport->queue.front();
    const Ref data(next.data), address(next.address); // ours now
    transport->queue.pop_front();
    transport->queued -= cost(next.data);
    const Sent sent = send_one(transport, next.data, next.address);
    if (sent == Sent::failed)
      return send_failed(transport);
    if (sent == Sent::refused) {
      if (put_back(transport, next) < 0)
        return -1;
      break;
    }
  }
  if (maybe_resume_protocol(transport) < 0) // may send
    return -1;
  return transport->queue.empty() && transport->loop ? sent_everything(transport) : 0;
}

void forget_datagrams(DatagramTransport* transport) {
  transport->queued = 0;
  std::deque<Datagram> dropped;
  dropped.swap(transport->queue);
  for (const Datagram& datagram : dropped) {
    Py_DECREF(datagram.data);
    Py_DECREF(datagram.address);
  }
}

void forget_peers(DatagramTransport* transport) {
  transport->sender = nullptr;
  Py_CLEAR(transport->peer);
}

} // namespace loopgauge::py
