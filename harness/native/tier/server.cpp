#include "tier/server.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include "load/address.hpp"
#include "load/dial.hpp"
#include "load/error.hpp"
#include "loops/core/fd.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::size_t buffer_size = std::size_t{256} << 10; // the floor's
constexpr int backlog = 4096;

class Connection;

// What an application writes, in the words of asyncio.
class Protocol {
 public:
  Protocol() = default;
  virtual ~Protocol() = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual void data_received(Connection& transport, std::string_view data) = 0;
};

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

struct Shared {
  explicit Shared(NativeLoop& served_by) : loop(served_by) {}

  NativeLoop& loop;
  std::vector<char> buffer = std::vector<char>(buffer_size);
  std::vector<std::unique_ptr<Connection>> connections; // by descriptor
  std::int64_t done = 0;
};

// A stream. What the kernel does not take waits, and reading stops until it is gone.
class Connection {
 public:
  Connection(Shared& shared, core::UniqueFd fd, std::unique_ptr<Protocol> protocol)
      : shared_(shared), fd_(std::move(fd)), protocol_(std::move(protocol)),
        watch_(shared.loop.table.watch(shared.loop.get(), fd_.get(), LOOPGAUGE_READABLE,
                                       &Connection::ready, this),
               shared.loop.table.unwatch, "watch") {}

  void write(std::string_view data) {
    if (!pending_.empty()) {
      pending_.append(data);
      return;
    }
    const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(data.size()))
      return;
    if (sent < 0 && !would_block()) {
      closing_ = true;
      return;
    }
    pending_.assign(data.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent)));
    look_for(LOOPGAUGE_WRITABLE);
  }

  void count() noexcept { ++shared_.done; }

 private:
  static void ready(void* self, unsigned) {
    auto* connection = static_cast<Connection*>(self);
    if (connection->pending_.empty())
      connection->read();
    else
      connection->flush();
    if (connection->closing_)
      connection->close();
  }

  void read() {
    const ssize_t got = ::recv(fd_.get(), shared_.buffer.data(), shared_.buffer.size(), 0);
    if (got > 0)
      protocol_->data_received(*this, {shared_.buffer.data(), static_cast<std::size_t>(got)});
    else
      closing_ = got == 0 || !would_block();
  }

  void flush() {
    const ssize_t sent = ::send(fd_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      closing_ = !would_block();
      return;
    }
    pending_.erase(0, static_cast<std::size_t>(sent));
    if (pending_.empty())
      look_for(LOOPGAUGE_READABLE);
  }

  void look_for(unsigned events) {
    closing_ = shared_.loop.table.rewatch(watch_.get(), events) != 0 || closing_;
  }

  void close() {
    const auto number = static_cast<std::size_t>(fd_.get());
    watch_.reset();
    shared_.connections[number].reset(); // and this is gone
  }

  Shared& shared_;
  core::UniqueFd fd_;
  std::unique_ptr<Protocol> protocol_;
  std::string pending_;
  bool closing_ = false;
  Watch watch_; // ends before the descriptor
};

class Echo final : public Protocol {
 public:
  void data_received(Connection& transport, std::string_view data) override {
    transport.count();
    transport.write(data);
  }
};

// A life of a connection counts when it ends.
class Counted final : public Protocol {
 public:
  explicit Counted(std::int64_t& ended) : ended_(ended) {}
  ~Counted() override { ++ended_; }
  void data_received(Connection&, std::string_view) override {}

 private:
  std::int64_t& ended_;
};

} // namespace

struct NativeServer::Impl {
  Impl(NativeLoop& loop, const std::string& kind_name, const std::string& wanted)
      : shared(loop), counts_lives(kind_name == "accept"),
        kind(kind_of(counts_lives ? "tcp" : kind_name)) {
    if (kind == Kind::tls)
      throw LoadError(Failure::usage, "the native tier has no TLS");
    const Address parsed = parse_address(kind, wanted);
    listener = new_socket(parsed, is_datagram(kind) ? SOCK_DGRAM : SOCK_STREAM);
    if (::bind(listener.get(), parsed.get(), parsed.length) < 0 ||
        (!is_datagram(kind) && ::listen(listener.get(), backlog) < 0))
      throw LoadError(Failure::refused, with_errno("listening on " + wanted, errno));
    address = local_address(listener.get());
    watch =
        Watch(loop.table.watch(loop.get(), listener.get(), LOOPGAUGE_READABLE,
                               is_datagram(kind) ? &Impl::on_datagram : &Impl::on_connection, this),
              loop.table.unwatch, "watch");
  }

  static void on_connection(void* self, unsigned) { static_cast<Impl*>(self)->accept_all(); }
  static void on_datagram(void* self, unsigned) { static_cast<Impl*>(self)->echo_datagram(); }

  // An exception must not pass the C interface: it is kept until the run has ended.
  void accept_all() {
    try {
      while (accept_one()) {
      }
    } catch (const std::exception& error) {
      failure = error.what();
      shared.loop.stop();
    }
  }

  bool accept_one() {
    core::UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (would_block() || errno == ECONNABORTED)
        return false;
      throw LoadError(Failure::unavailable, with_errno("accepting a connection", errno));
    }
    if (kind == Kind::tcp) {
      const int on = 1;
      (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    const auto number = static_cast<std::size_t>(fd.get());
    if (number >= shared.connections.size())
      shared.connections.resize(number + 1);
    shared.connections[number] =
        std::make_unique<Connection>(shared, std::move(fd), new_protocol());
    return true;
  }

  std::unique_ptr<Protocol> new_protocol() {
    if (counts_lives)
      return std::make_unique<Counted>(shared.done);
    return std::make_unique<Echo>();
  }

  void echo_datagram() {
    Address from;
    from.length = sizeof from.storage;
    std::vector<char>& buffer = shared.buffer;
    const ssize_t got =
        ::recvfrom(listener.get(), buffer.data(), buffer.size(), 0, from.get(), &from.length);
    if (got < 0)
      return;
    const auto size = static_cast<std::size_t>(got);
    // A full socket or a client that is gone loses the answer, as datagrams may be.
    if (::sendto(listener.get(), buffer.data(), size, MSG_NOSIGNAL, from.get(), from.length) == got)
      ++shared.done;
  }

  Shared shared;
  bool counts_lives;
  Kind kind;
  std::string address;
  std::optional<std::string> failure;
  core::UniqueFd listener; // datagrams: the socket itself
  Watch watch;             // ends before the socket
};

NativeServer::NativeServer(NativeLoop& loop, const std::string& kind, const std::string& address)
    : impl_(std::make_unique<Impl>(loop, kind, address)) {}

NativeServer::~NativeServer() = default;

const std::string& NativeServer::address() const noexcept {
  return impl_->address;
}

std::int64_t NativeServer::serve_until(int fd) {
  NativeLoop& loop = impl_->shared.loop;
  const std::int64_t before = impl_->shared.done;
  // Some libraries make what they watch non-blocking; its owner may rely on the contrary.
  const int flags = ::fcntl(fd, F_GETFL);
  {
    const Watch until(loop.table.watch(
                          loop.get(), fd, LOOPGAUGE_READABLE,
                          [](void* self, unsigned) { static_cast<NativeLoop*>(self)->stop(); },
                          &loop),
                      loop.table.unwatch, "watch");
    loop.run();
  }
  if (flags != ::fcntl(fd, F_GETFL))
    (void)::fcntl(fd, F_SETFL, flags);
  if (impl_->failure)
    throw NativeFailure(*impl_->failure);
  return impl_->shared.done - before;
}

} // namespace loopgauge::bench
