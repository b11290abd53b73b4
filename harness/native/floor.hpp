// The floor of an I/O scenario: the least that the machine lets a server do, with no loop at all.
// Level-triggered epoll, 1 024 events a wait, recv into one static buffer, immediate send.
//
// In Python: _bench.FloorServer(kind, address, size), kind "tcp" or "unix" (echo), "udp" or
// "unixgram" (echo of datagrams), "flood" (of UDP), "accept" (connections that come and go), "sink"
// or "source" (over TCP, as harness/load/protocol.py says; `size` is the client's, for source), or
// "sendfile": a source whose block lies in a file and is sent by the system call of that name.
//   .address           where it listens, as the load generator takes it ("127.0.0.1:4711")
//   .serve_until(fd)   serves on the calling thread, without the GIL, until fd is readable; returns
//                      how many messages were answered. A KeyboardInterrupt ends it, too.
//   .close()           closes every connection and the listening socket
//
// The load generator's own listeners are the same server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace loopgauge::bench {

class FloorServer {
 public:
  enum class Service { echo, sink, source, sendfile, flood, accept, http };

  struct Settings {
    Service service = Service::echo;
    std::string kind = "tcp"; // tcp, unix, udp, unixgram
    std::string address;      // as load/address.hpp reads it; port 0: any
    std::string content;      // source, sendfile: what is sent over and over; http: the answer
    int backlog = 4096;
  };

  // When serving ends.
  struct Until {
    int readable = -1;               // this descriptor is readable, or its peer is gone
    std::int64_t served = INT64_MAX; // so many were served in all, since the beginning
    double timeout_s = 0;            // nothing happened for so long; 0: never
    bool (*interrupted)() = nullptr; // asked after a signal
  };
  enum class Ended { readable, served, timeout, interrupted };

  // Binds and listens. Throws LoadError.
  explicit FloorServer(const Settings& settings);
  ~FloorServer();

  [[nodiscard]] const std::string& address() const noexcept;

  // A connection that fails is closed and forgotten: the client sees it. Throws LoadError if the
  // machine fails (no descriptors).
  Ended serve(const Until& until);

  [[nodiscard]] std::int64_t messages() const noexcept; // recv calls that were answered
  // Connections that ended; for http: requests that were answered.
  [[nodiscard]] std::int64_t served() const noexcept;

  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace loopgauge::bench
