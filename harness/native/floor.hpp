// The floor of an I/O scenario: the least that the machine lets a server do, with no loop at all.
// Level-triggered epoll, 1 024 events a wait, recv into one static buffer, immediate send.
//
// In Python: _bench.FloorServer(kind, address), kind "tcp" or "unix" (echo), "udp" (echo of
// datagrams), "sink" or "source" (over TCP; harness/load/protocol.py says what is spoken).
//   .address           where it listens, as the load generator takes it ("127.0.0.1:4711")
//   .serve_until(fd)   serves on the calling thread, without the GIL, until fd is readable; returns
//                      the number of messages answered. KeyboardInterrupt ends it, too.
//   .close()           closes every connection and the listening socket
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace loopgauge::bench {

class FloorServer {
 public:
  // Binds and listens. `address` as load/address.hpp reads it; port 0: any.
  // Throws LoadError if it cannot.
  FloorServer(const std::string& kind, const std::string& address);
  ~FloorServer();

  [[nodiscard]] const std::string& address() const;

  // Serves until `fd` is readable (or closed by its peer), or until `interrupted` says so after a
  // signal. A connection that fails is closed and forgotten. Returns recv calls that were answered.
  std::int64_t serve_until(int fd, bool (*interrupted)());

  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace loopgauge::bench
