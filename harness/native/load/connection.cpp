#include "load/connection.hpp"

#include <algorithm>
#include <sys/epoll.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

// Of one write; a pattern is at least so long in one piece.
constexpr std::uint64_t most_at_once = std::uint64_t{256} << 10;
// A connection that the server reads as fast as it is written must let the others have their turn.
constexpr std::uint64_t most_per_turn = std::uint64_t{4} << 20;

} // namespace

std::uint64_t Outgoing::flush(Stream& stream) {
  std::uint64_t total = 0;
  while (header_sent_ < header_.size()) {
    const auto sent = stream.write({header_.data() + header_sent_, header_.size() - header_sent_});
    if (sent.bytes == 0)
      return total;
    header_sent_ += sent.bytes;
    total += sent.bytes;
  }
  while (left_ > 0 && total < most_per_turn) {
    const auto piece =
        pattern_.at(position_, static_cast<std::size_t>(std::min(left_, most_at_once)));
    const std::size_t sent = stream.write(piece).bytes;
    position_ += sent;
    left_ -= sent;
    total += sent;
    if (sent < piece.size())
      break; // full: asking again would only be told so
  }
  return total;
}

StreamConnection::StreamConnection(Shared& shared, Outgoing outgoing,
                                   std::unique_ptr<Checker> checker, Framing framing,
                                   std::size_t size)
    : shared_(shared), outgoing_(std::move(outgoing)), checker_(std::move(checker)),
      framing_(framing), size_(size) {}

bool StreamConnection::open() {
  if (!dialled(dial_, shared_.target, stream_))
    return false;
  ++shared_.progress;
  return true;
}

void StreamConnection::start(std::int64_t count) {
  const auto bytes = static_cast<std::uint64_t>(count) * size_;
  checker_->expect(count);
  if (framing_ != Framing::messages)
    outgoing_.add_header(big_endian(bytes));
  if (framing_ != Framing::request)
    outgoing_.add(bytes);
  flush();
}

std::int64_t StreamConnection::ready(std::uint32_t events) {
  std::int64_t completed = 0;
  if (events & ~static_cast<std::uint32_t>(EPOLLOUT))
    completed = receive();
  if (!outgoing_.empty())
    flush();
  return completed;
}

std::int64_t StreamConnection::receive() {
  std::int64_t completed = 0;
  do {
    const auto got = stream_->read(shared_.buffer);
    if (got.end)
      throw LoadError(Failure::lost, "the server closed the connection " + checker_->where());
    if (got.bytes == 0)
      break;
    shared_.received += got.bytes;
    ++shared_.progress;
    completed += checker_->consume({shared_.buffer.data(), got.bytes});
  } while (stream_->hides_input());
  return completed;
}

bool StreamConnection::ended() {
  const auto got = stream_->read(shared_.buffer);
  if (got.bytes != 0)
    throw LoadError(Failure::wrong, "the server sent more than it was sent");
  return got.end;
}

void StreamConnection::flush() {
  const std::uint64_t sent = outgoing_.flush(*stream_);
  shared_.progress += sent != 0;
}

} // namespace loopgauge::bench
