#include "load/stream.hpp"

#include <sys/socket.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

} // namespace

Stream::Moved Stream::read(std::span<char> into) {
  const ssize_t got = ::recv(fd(), into.data(), into.size(), 0);
  if (got > 0)
    return {static_cast<std::size_t>(got), false};
  if (got == 0)
    return {0, true};
  if (would_block(errno))
    return {};
  throw LoadError(Failure::lost, with_errno("reading", errno));
}

Stream::Moved Stream::write(std::span<const char> data) {
  const ssize_t sent = ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL);
  if (sent >= 0)
    return {static_cast<std::size_t>(sent), false};
  if (would_block(errno))
    return {};
  throw LoadError(Failure::lost, with_errno("writing", errno));
}

void Stream::finish() {
  (void)::shutdown(fd(), SHUT_WR);
}

} // namespace loopgauge::bench
