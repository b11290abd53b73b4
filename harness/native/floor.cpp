#include "floor.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <vector>

#include "clocks.hpp"
#include "load/address.hpp"
#include "load/checker.hpp"
#include "load/dial.hpp"
#include "load/error.hpp"
#include "loops/core/fd.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::size_t buffer_size = std::size_t{256} << 10; // a message of 100 KiB is one recv

// One connection. What cannot be sent at once waits here, and reading stops until it is gone.
struct Peer {
  core::UniqueFd fd;
  std::string pending;
  std::size_t pending_sent = 0;
  std::string head;           // sink, source: a header that came in pieces; http: a request
  std::uint64_t to_read = 0;  // sink: of the announced bytes
  std::uint64_t to_write = 0; // source: of the wanted bytes
  std::string receipt;        // sink: the header to be sent back
  bool writing = false;       // epoll waits for room instead of input
};

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes)
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

// In memory, under no name.
core::UniqueFd file_of(std::string_view content) {
  core::UniqueFd file(::memfd_create("loopgauge-floor", MFD_CLOEXEC));
  if (!file ||
      ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    throw LoadError(Failure::unavailable, with_errno("a file in memory", errno));
  return file;
}

} // namespace

struct FloorServer::Impl {
  Settings settings;
  Kind kind = Kind::tcp;
  std::string address;
  core::UniqueFd listener; // datagrams: the socket itself
  core::UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<std::unique_ptr<Peer>> peers; // by descriptor
  std::vector<char> buffer = std::vector<char>(buffer_size);
  std::array<epoll_event, 1024> events{};
  std::int64_t messages = 0;
  std::int64_t served = 0;
  core::UniqueFd file; // sendfile: the content

  void control(int operation, int fd, std::uint32_t wanted) const {
    epoll_event event{};
    event.events = wanted;
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), operation, fd, &event) < 0)
      throw LoadError(Failure::unavailable, with_errno("epoll_ctl", errno));
  }

  void listen();
  void accept_all();
  void on_datagram();
  [[nodiscard]] ssize_t give(const Peer& peer, std::size_t size) const;
  void on_event(const epoll_event& event);
  bool readable(Peer& peer);
  bool respond(Peer& peer, std::string_view data);
  bool answer(Peer& peer, std::string_view data);
  bool take_in(Peer& peer, std::string_view data);
  bool give_out(Peer& peer, std::string_view data);
  bool answer_requests(Peer& peer, std::string_view data);
  bool pump(Peer& peer);
  bool flush(Peer& peer);
  void wait_for_room(Peer& peer, bool room);
  void drop(int fd);
};

FloorServer::FloorServer(const Settings& settings) : impl_(std::make_unique<Impl>()) {
  impl_->settings = settings;
  impl_->kind = kind_of(settings.kind);
  if (impl_->kind == Kind::tls)
    throw LoadError(Failure::usage, "there is no floor for TLS");
  const bool gives = settings.service == Service::source || settings.service == Service::sendfile;
  if (gives && settings.content.empty())
    throw LoadError(Failure::usage, "a source needs something to send");
  if (settings.service == Service::sendfile)
    impl_->file = file_of(settings.content);
  impl_->listen();
}

FloorServer::~FloorServer() = default;

const std::string& FloorServer::address() const noexcept {
  return impl_->address;
}
std::int64_t FloorServer::messages() const noexcept {
  return impl_->messages;
}
std::int64_t FloorServer::served() const noexcept {
  return impl_->served;
}

void FloorServer::close() {
  impl_->peers.clear();
  impl_->listener.reset();
}

void FloorServer::Impl::listen() {
  const Address wanted = parse_address(kind, settings.address);
  listener = new_socket(wanted, is_datagram(kind) ? SOCK_DGRAM : SOCK_STREAM);
  const int on = 1;
  if (!is_unix(kind))
    (void)::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), wanted.get(), wanted.length) < 0 ||
      (!is_datagram(kind) && ::listen(listener.get(), settings.backlog) < 0))
    throw LoadError(Failure::refused, with_errno("listening on " + settings.address, errno));
  address = local_address(listener.get());
  control(EPOLL_CTL_ADD, listener.get(), EPOLLIN);
}

FloorServer::Ended FloorServer::serve(const Until& until) {
  Impl& impl = *impl_;
  const auto timeout_ns = static_cast<std::int64_t>(until.timeout_s * 1e9);
  std::int64_t quiet_since = monotonic_ns();
  struct Watch { // of the descriptor that ends it, only as long as this call
    Impl& impl;
    int fd;
    ~Watch() {
      if (fd >= 0)
        (void)::epoll_ctl(impl.epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
  };
  if (until.readable >= 0)
    impl.control(EPOLL_CTL_ADD, until.readable, EPOLLIN);
  const Watch watch{impl, until.readable};
  while (impl.served < until.served) {
    const int wait_ms = timeout_ns ? static_cast<int>(timeout_ns / 1'000'000) + 1 : -1;
    const int count = ::epoll_wait(impl.epoll.get(), impl.events.data(),
                                   static_cast<int>(impl.events.size()), wait_ms);
    if (count < 0 && errno != EINTR)
      throw LoadError(Failure::unavailable, with_errno("epoll_wait", errno));
    if (count < 0 && until.interrupted && until.interrupted())
      return Ended::interrupted;
    bool asked_to_end = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = impl.events[static_cast<std::size_t>(i)];
      if (event.data.fd == until.readable)
        asked_to_end = true;
      else
        impl.on_event(event);
    }
    if (asked_to_end)
      return Ended::readable;
    if (timeout_ns == 0)
      continue;
    if (count > 0)
      quiet_since = monotonic_ns();
    else if (monotonic_ns() - quiet_since >= timeout_ns)
      return Ended::timeout;
  }
  return Ended::served;
}

void FloorServer::Impl::on_event(const epoll_event& event) {
  const int fd = event.data.fd;
  if (fd == listener.get())
    return is_datagram(kind) ? on_datagram() : accept_all();
  Peer& peer = *peers[static_cast<std::size_t>(fd)];
  const bool alive = peer.writing ? flush(peer) : readable(peer);
  if (!alive)
    drop(fd);
}

void FloorServer::Impl::accept_all() {
  while (true) {
    core::UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (would_block() || errno == ECONNABORTED)
        return;
      throw LoadError(Failure::unavailable, with_errno("accepting a connection", errno));
    }
    if (kind == Kind::tcp) {
      const int on = 1;
      (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    const auto number = static_cast<std::size_t>(fd.get());
    control(EPOLL_CTL_ADD, fd.get(), EPOLLIN);
    if (number >= peers.size())
      peers.resize(number + 1);
    peers[number] = std::make_unique<Peer>();
    peers[number]->fd = std::move(fd);
  }
}

void FloorServer::Impl::on_datagram() {
  Address from;
  from.length = sizeof from.storage;
  const ssize_t got =
      ::recvfrom(listener.get(), buffer.data(), buffer.size(), 0, from.get(), &from.length);
  if (got < 0)
    return;
  const auto size = static_cast<std::size_t>(got);
  if (settings.service == Service::flood) {
    ++messages;
    if (size == 0 || buffer[0] == 0)
      return;
    const std::string receipt = big_endian(static_cast<std::uint64_t>(messages));
    (void)::sendto(listener.get(), receipt.data(), receipt.size(), MSG_NOSIGNAL, from.get(),
                   from.length);
    return;
  }
  // A full socket or a client that is gone loses the answer, as datagrams may be.
  if (::sendto(listener.get(), buffer.data(), size, MSG_NOSIGNAL, from.get(), from.length) == got)
    ++messages;
}

// These return whether the connection goes on.

bool FloorServer::Impl::readable(Peer& peer) {
  const ssize_t got = ::recv(peer.fd.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0)
    return got < 0 && would_block();
  return respond(peer, {buffer.data(), static_cast<std::size_t>(got)});
}

bool FloorServer::Impl::respond(Peer& peer, std::string_view data) {
  switch (settings.service) {
  case Service::echo:
    ++messages;
    return answer(peer, data);
  case Service::sink:
    return take_in(peer, data);
  case Service::source:
  case Service::sendfile:
    return give_out(peer, data);
  case Service::http:
    return answer_requests(peer, data);
  case Service::accept:
  case Service::flood: // has no connections
    return true;
  }
  return false;
}

bool FloorServer::Impl::answer(Peer& peer, std::string_view data) {
  const ssize_t sent = ::send(peer.fd.get(), data.data(), data.size(), MSG_NOSIGNAL);
  if (sent < 0 && !would_block())
    return false;
  const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  if (done < data.size()) {
    peer.pending.assign(data.substr(done));
    peer.pending_sent = 0;
    wait_for_room(peer, true);
  }
  return true;
}

bool FloorServer::Impl::take_in(Peer& peer, std::string_view data) {
  while (!data.empty()) {
    if (peer.to_read == 0) {
      const std::size_t missing = std::min(data.size(), 8 - peer.head.size());
      peer.head.append(data.substr(0, missing));
      data.remove_prefix(missing);
      if (peer.head.size() < 8)
        return true;
      peer.to_read = from_big_endian(peer.head);
      peer.receipt.swap(peer.head);
      peer.head.clear();
    }
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), peer.to_read));
    data.remove_prefix(taken);
    peer.to_read -= taken;
    ++messages;
    if (peer.to_read == 0 && !answer(peer, peer.receipt))
      return false;
  }
  return true;
}

bool FloorServer::Impl::give_out(Peer& peer, std::string_view data) {
  peer.head.append(data);
  if (peer.head.size() < 8)
    return true;
  peer.to_write = from_big_endian(peer.head);
  peer.head.clear();
  peer.pending_sent = 0;
  return pump(peer);
}

bool FloorServer::Impl::answer_requests(Peer& peer, std::string_view data) {
  peer.head.append(data);
  std::string answers;
  std::size_t end = 0;
  for (std::size_t next; (next = peer.head.find("\r\n\r\n", end)) != std::string::npos;
       end = next + 4) {
    answers += settings.content;
    ++messages;
    ++served;
  }
  peer.head.erase(0, end);
  return answers.empty() || answer(peer, answers);
}

// Sends the block over and over, from where it stopped, until enough was sent or there is no room.
bool FloorServer::Impl::pump(Peer& peer) {
  while (peer.to_write > 0) {
    const std::string& block = settings.content;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(block.size() - peer.pending_sent, peer.to_write));
    const ssize_t sent = give(peer, size);
    if (sent < 0 && !would_block())
      return false;
    const auto done = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    peer.to_write -= done;
    peer.pending_sent = (peer.pending_sent + done) % block.size();
    if (done < size) {
      wait_for_room(peer, true);
      return true;
    }
    ++messages;
  }
  wait_for_room(peer, false);
  return true;
}

ssize_t FloorServer::Impl::give(const Peer& peer, std::size_t size) const {
  if (settings.service == Service::source)
    return ::send(peer.fd.get(), settings.content.data() + peer.pending_sent, size, MSG_NOSIGNAL);
  auto offset = static_cast<off_t>(peer.pending_sent);
  return ::sendfile(peer.fd.get(), file.get(), &offset, size);
}

bool FloorServer::Impl::flush(Peer& peer) {
  if (peer.to_write > 0)
    return pump(peer);
  const ssize_t sent = ::send(peer.fd.get(), peer.pending.data() + peer.pending_sent,
                              peer.pending.size() - peer.pending_sent, MSG_NOSIGNAL);
  if (sent < 0)
    return would_block();
  peer.pending_sent += static_cast<std::size_t>(sent);
  if (peer.pending_sent == peer.pending.size()) {
    peer.pending.clear();
    wait_for_room(peer, false);
  }
  return true;
}

void FloorServer::Impl::wait_for_room(Peer& peer, bool room) {
  if (peer.writing == room)
    return;
  peer.writing = room;
  control(EPOLL_CTL_MOD, peer.fd.get(), room ? EPOLLOUT : EPOLLIN);
}

void FloorServer::Impl::drop(int fd) {
  peers[static_cast<std::size_t>(fd)].reset();
  served += settings.service != Service::http;
}

} // namespace loopgauge::bench
