// A server on a native loop, as a program in C++ would write it: one protocol object a connection.
#pragma once

#include <memory>
#include <string>

#include "tier/backend.hpp"

namespace loopgauge::bench {

/// Serves the load generator on a native loop. It does what the floor does
/// (harness/native/floor.hpp), through the callbacks of the loop: recv into one buffer, the
/// protocol's data_received(), an immediate send, and a queue for what the kernel does not take.
class NativeServer {
 public:
  /// `kind`: "tcp" and "unix" echo streams, "udp" echoes datagrams, "accept" (over TCP) counts
  /// connections that come and go. `address` as the load generator takes it. Throws LoadError.
  NativeServer(NativeLoop& loop, const std::string& kind, const std::string& address);
  ~NativeServer();
  NativeServer(const NativeServer&) = delete;
  NativeServer& operator=(const NativeServer&) = delete;

  [[nodiscard]] const std::string& address() const noexcept;

  /// Runs the loop until `fd` is readable (or somebody interrupts the loop). Returns how many
  /// messages were answered; of "accept": how many connections ended. Throws NativeFailure, and
  /// LoadError if the machine fails.
  std::int64_t serve_until(int fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace loopgauge::bench
