#include "load/broadcast.hpp"

#include <algorithm>
#include <string_view>
#include <sys/epoll.h>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::size_t longest_head = std::size_t{64} << 10;

// Key and answer are the example of RFC 6455, section 1.3.
constexpr std::string_view request = "GET / HTTP/1.1\r\n"
                                     "Host: localhost\r\n"
                                     "Upgrade: websocket\r\n"
                                     "Connection: Upgrade\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                     "Sec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

constexpr unsigned char whole_binary = 0x82;
constexpr unsigned char masked = 0x80;
constexpr unsigned char two_bytes = 126; // of length follow
constexpr unsigned char eight_bytes = 127;

[[noreturn]] void wrong(const std::string& what) {
  throw LoadError(Failure::wrong, what);
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes)
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// The header of a client's frame. A mask of zeros leaves the payload as it is; that masks should
// not be guessed protects proxies, which there are none of here.
std::string client_header(std::size_t size) {
  std::string header(1, static_cast<char>(whole_binary));
  const std::string length = big_endian(size);
  if (size < two_bytes) {
    header += static_cast<char>(masked | size);
  } else if (size <= 0xffff) {
    header += static_cast<char>(masked | two_bytes);
    header += length.substr(6);
  } else {
    header += static_cast<char>(masked | eight_bytes);
    header += length;
  }
  return header + std::string(4, '\0');
}

// Bytes of the header of a server's frame, once its first two are known.
std::size_t header_size(std::string_view header) {
  if (header.size() < 2)
    return 2;
  const auto length = static_cast<unsigned char>(header[1]);
  return length == two_bytes ? 4 : length == eight_bytes ? 10 : 2;
}

} // namespace

BroadcastConnection::BroadcastConnection(Shared& shared, const Pattern& pattern, std::size_t size,
                                         bool speaks, std::uint64_t depth)
    : shared_(shared), pattern_(pattern), size_(size), speaks_(speaks), depth_(depth) {}

bool BroadcastConnection::open() {
  return (stream_ || dial()) && shake_hands();
}

bool BroadcastConnection::dial() {
  if (!dialled(dial_, shared_.target, stream_))
    return false;
  outgoing_ = request;
  return true;
}

bool BroadcastConnection::shake_hands() {
  flush();
  const auto got = stream_->read(shared_.buffer);
  if (got.end)
    throw LoadError(Failure::lost, "the server closed the connection instead of a handshake");
  head_.append(shared_.buffer.data(), got.bytes);
  shared_.progress += got.bytes != 0;
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (head_.size() > longest_head)
      wrong("the head of the handshake is longer than 64 KiB");
    return false;
  }
  if (!head_.starts_with("HTTP/1.1 101 ") || head_.find(accepted) > end)
    wrong("the handshake was answered with '" + head_.substr(0, head_.find("\r\n")) + "'");
  if (end + 4 != head_.size())
    wrong("the server sent more than the handshake");
  head_.clear();
  open_ = true;
  return true;
}

void BroadcastConnection::start(std::int64_t count) {
  wanted_ += static_cast<std::uint64_t>(count);
  speak();
}

std::int64_t BroadcastConnection::ready(std::uint32_t events) {
  std::int64_t completed = 0;
  if (events & ~static_cast<std::uint32_t>(EPOLLOUT)) {
    const auto got = stream_->read(shared_.buffer);
    if (got.end)
      throw LoadError(Failure::lost, "the server closed the connection " + where());
    shared_.received += got.bytes;
    shared_.progress += got.bytes != 0;
    completed = consume({shared_.buffer.data(), got.bytes});
  }
  speak();
  return completed;
}

void BroadcastConnection::speak() {
  for (; speaks_ && sent_ < wanted_ && sent_ - received_ < depth_; ++sent_) {
    const auto payload = pattern_.at(sent_ * size_, size_);
    outgoing_ += client_header(size_);
    outgoing_.append(payload.data(), payload.size());
  }
  flush();
}

void BroadcastConnection::flush() {
  if (written_ == outgoing_.size())
    return;
  const auto sent = stream_->write({outgoing_.data() + written_, outgoing_.size() - written_});
  written_ += sent.bytes;
  shared_.progress += sent.bytes != 0;
  if (written_ == outgoing_.size()) {
    outgoing_.clear();
    written_ = 0;
  }
}

std::int64_t BroadcastConnection::consume(std::string_view data) {
  const std::uint64_t before = received_;
  while (!data.empty())
    data.remove_prefix(payload_left_ ? take_payload(data) : take_header(data));
  return static_cast<std::int64_t>(received_ - before);
}

std::size_t BroadcastConnection::take_header(std::string_view data) {
  if (received_ == wanted_)
    wrong("the server sent more messages than it was sent");
  const std::size_t taken = std::min(data.size(), header_size(head_) - head_.size());
  head_.append(data.substr(0, taken));
  if (head_.size() < header_size(head_))
    return taken;
  if (static_cast<unsigned char>(head_[0]) != whole_binary)
    wrong("a frame " + where() + " is no whole binary message");
  const auto length = head_.size() == 2 ? static_cast<unsigned char>(head_[1])
                                        : from_big_endian(std::string_view(head_).substr(2));
  if (length != size_)
    wrong("message " + std::to_string(received_) + " has " + std::to_string(length) +
          " bytes instead of " + std::to_string(size_));
  head_.clear();
  payload_left_ = size_;
  return taken;
}

std::size_t BroadcastConnection::take_payload(std::string_view data) {
  const std::size_t taken = std::min(data.size(), payload_left_);
  const Position position = received_ * size_ + (size_ - payload_left_);
  if (pattern_.mismatch(position, {data.data(), taken}))
    wrong("wrong bytes in message " + std::to_string(received_));
  payload_left_ -= taken;
  received_ += payload_left_ == 0;
  return taken;
}

std::string BroadcastConnection::where() const {
  if (!open_)
    return "in the handshake";
  return "at message " + std::to_string(received_);
}

} // namespace loopgauge::bench
