#include "load/address.hpp"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <sys/un.h>
#include <utility>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::array<std::pair<const char*, Kind>, 5> kinds = {{{"tcp", Kind::tcp},
                                                                {"unix", Kind::unix_stream},
                                                                {"udp", Kind::udp},
                                                                {"unixgram", Kind::unix_datagram},
                                                                {"tls", Kind::tls}}};

[[noreturn]] void bad(const std::string& text, const std::string& why) {
  throw LoadError(Failure::usage, "the address '" + text + "' " + why);
}

Address unix_address(const std::string& text) {
  Address address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  if (text.empty())
    bad(text, "is empty; a Unix socket is a path or @name");
  if (text.size() >= sizeof un->sun_path)
    bad(text, "is longer than the 107 bytes of a Unix socket");
  std::memcpy(un->sun_path, text.data(), text.size());
  if (text.front() == '@')
    un->sun_path[0] = '\0';
  // An abstract name ends where the length says, a path with its NUL.
  const std::size_t nul = text.front() == '@' ? 0 : 1;
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + nul);
  return address;
}

std::optional<std::uint16_t> parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc() || stopped != end)
    return std::nullopt;
  return port;
}

Address ip_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos)
    bad(text, "has no port; write host:port");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port)
    bad(text, "has no port between 0 and 65535");
  std::string host = text.substr(0, colon);
  Address address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(*port);
    address.length = sizeof *v6;
    if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1)
      return address;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(*port);
    address.length = sizeof *v4;
    if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1)
      return address;
  }
  bad(text, "is no numeric host: names are not looked up");
}

std::string unix_text(const sockaddr_un& un, socklen_t length) {
  const auto size = static_cast<std::size_t>(length) - offsetof(sockaddr_un, sun_path);
  if (length <= offsetof(sockaddr_un, sun_path))
    return "";
  if (un.sun_path[0] == '\0')
    return std::string("@").append(un.sun_path + 1, size - 1);
  return {un.sun_path, strnlen(un.sun_path, size)};
}

} // namespace

Kind kind_of(const std::string& wanted) {
  for (const auto& [text, kind] : kinds)
    if (wanted == text)
      return kind;
  throw LoadError(Failure::usage,
                  "there is no kind '" + wanted + "'; there are tcp, unix, udp, unixgram and tls");
}

const char* name(Kind kind) {
  for (const auto& [text, candidate] : kinds)
    if (candidate == kind)
      return text;
  return "";
}

bool is_datagram(Kind kind) {
  return kind == Kind::udp || kind == Kind::unix_datagram;
}

bool is_unix(Kind kind) {
  return kind == Kind::unix_stream || kind == Kind::unix_datagram;
}

bool Address::is_loopback_v4() const {
  if (family() != AF_INET)
    return false;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

Address parse_address(Kind kind, const std::string& text) {
  return is_unix(kind) ? unix_address(text) : ip_address(text);
}

std::string local_address(int fd) {
  Address address;
  address.length = sizeof address.storage;
  if (getsockname(fd, address.get(), &address.length) < 0)
    throw LoadError(Failure::unavailable, with_errno("getsockname", errno));
  if (address.family() == AF_UNIX)
    return unix_text(*reinterpret_cast<const sockaddr_un*>(&address.storage), address.length);
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, host.data(), host.size());
    return std::string("[").append(host.data()).append("]:") + std::to_string(ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
  inet_ntop(AF_INET, &v4->sin_addr, host.data(), host.size());
  return std::string(host.data()) + ":" + std::to_string(ntohs(v4->sin_port));
}

} // namespace loopgauge::bench
