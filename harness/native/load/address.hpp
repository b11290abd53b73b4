// Addresses in words: "127.0.0.1:80", "[::1]:80"; for the Unix kinds a path, or "@name" for the
// abstract namespace. No names are looked up: load goes where it was told.
#pragma once

#include <string>
#include <sys/socket.h>

namespace loopgauge::bench {

enum class Kind { tcp, unix_stream, udp, unix_datagram, tls };

// Throws LoadError(usage).
Kind kind_of(const std::string& name);
[[nodiscard]] bool is_datagram(Kind kind);
[[nodiscard]] bool is_unix(Kind kind);
[[nodiscard]] const char* name(Kind kind);

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] bool is_loopback_v4() const;
};

// Throws LoadError(usage) saying what is wrong with the text.
Address parse_address(Kind kind, const std::string& text);

// The address that a bound socket has, in words as above.
std::string local_address(int fd);

} // namespace loopgauge::bench
