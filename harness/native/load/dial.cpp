#include "load/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::uint32_t sources = 250; // 127.0.1.1 to 127.0.1.250: 28 000 ports each

[[noreturn]] void refuse(const Target& target, int error) {
  const std::string what = "connecting to " + target.text;
  if (error == EADDRNOTAVAIL)
    throw LoadError(Failure::unavailable, with_errno(what, error) +
                                              "; local ports have run out: see "
                                              "net.ipv4.ip_local_port_range, or wait a minute");
  throw LoadError(Failure::refused, with_errno(what, error));
}

// Ports in TIME_WAIT count per source address, so that many addresses never run out of them.
void bind_next_source(Target& target, int fd) {
  const std::uint32_t host = target.next_source++ % sources + 1;
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(0x7f000100U + host);
  const int on = 1; // the port is chosen by connect(), which knows the other end
  (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) < 0)
    throw LoadError(Failure::unavailable, with_errno("binding a source address", errno));
}

core::UniqueFd stream_socket(Target& target) {
  core::UniqueFd fd = new_socket(target.address, SOCK_STREAM);
  if (!is_unix(target.kind)) {
    const int on = 1;
    (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (target.rotate_sources)
    bind_next_source(target, fd.get());
  return fd;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

} // namespace

core::UniqueFd new_socket(const Address& address, int type) {
  core::UniqueFd fd(::socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd)
    return fd;
  if (errno != EMFILE)
    throw LoadError(Failure::unavailable, with_errno("opening a socket", errno));
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  throw LoadError(Failure::unavailable, "out of file descriptors: the limit is " +
                                            std::to_string(limit.rlim_cur) +
                                            "; raise it with ulimit -n");
}

Dial::Dial(Target& target) : target_(target) {
  core::UniqueFd fd = stream_socket(target);
  stream_ = target.tls ? target.tls->wrap(std::move(fd)) : std::make_unique<Stream>(std::move(fd));
  connect();
}

void Dial::connect() {
  if (::connect(fd(), target_.address.get(), target_.address.length) == 0) {
    state_ = State::establishing;
    return;
  }
  if (errno == EINPROGRESS)
    state_ = State::connecting;
  else if (errno == EAGAIN && is_unix(target_.kind))
    state_ = State::full;
  else
    refuse(target_, errno);
}

bool Dial::advance() {
  if (state_ == State::full)
    connect();
  else if (state_ == State::connecting) {
    if (const int error = pending_error(fd()))
      refuse(target_, error);
    state_ = State::establishing;
  }
  if (state_ == State::establishing && stream_->establish())
    state_ = State::done;
  return state_ == State::done;
}

bool Dial::wants_write() const {
  return state_ == State::connecting ||
         (state_ == State::establishing && stream_->establish_wants_write());
}

bool dialled(std::unique_ptr<Dial>& dial, Target& target, std::unique_ptr<Stream>& stream) {
  if (!dial) {
    dial = std::make_unique<Dial>(target);
    if (dial->wants_write() || dial->must_retry())
      return false;
  }
  if (!dial->advance())
    return false;
  stream = dial->take();
  dial.reset();
  return true;
}

core::UniqueFd connect_datagrams(const Target& target) {
  core::UniqueFd fd = new_socket(target.address, SOCK_DGRAM);
  if (target.kind == Kind::unix_datagram) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    // The family alone: the kernel chooses an abstract name.
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own.sun_family) < 0)
      throw LoadError(Failure::unavailable, with_errno("naming a datagram socket", errno));
  }
  if (::connect(fd.get(), target.address.get(), target.address.length) < 0)
    refuse(target, errno);
  return fd;
}

} // namespace loopgauge::bench
