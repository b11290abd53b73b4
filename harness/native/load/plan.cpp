#include "load/plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <dirent.h>
#include <string_view>
#include <sys/resource.h>

#include "load/error.hpp"
#include "load/flood.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::int64_t largest_message = std::int64_t{16} << 20;
constexpr std::int64_t largest_datagram = 65'507;
constexpr std::size_t contiguous = std::size_t{256} << 10;
constexpr std::int64_t spare_descriptors = 8; // epoll, and what the process opens for a moment

void require(bool condition, const std::string& why) {
  if (!condition)
    throw LoadError(Failure::usage, why);
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::int64_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (!folder)
    return 64;
  std::int64_t count = 0;
  while (::readdir(folder))
    ++count;
  ::closedir(folder);
  return count;
}

void check_descriptors(std::int64_t connections) {
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  const std::int64_t taken = open_descriptors() + spare_descriptors;
  const auto allowed =
      static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(INT64_MAX)));
  if (connections + taken <= allowed)
    return;
  throw LoadError(Failure::unavailable,
                  std::to_string(connections) + " connections need " +
                      std::to_string(connections + taken) + " file descriptors and the limit is " +
                      std::to_string(allowed) + ": raise it with 'ulimit -n " +
                      std::to_string(connections + taken) + "', or ask for at most " +
                      std::to_string(std::max<std::int64_t>(allowed - taken, 0)) + " connections");
}

} // namespace

void check(const Plan& plan) {
  const Kind kind = kind_of(plan.kind);
  const bool http = plan.pattern == "http";
  const bool flood = plan.pattern == "flood";
  require(one_of(plan.pattern, {"echo", "lines", "sink", "source", "flood", "connect", "http",
                                "broadcast", "idle"}),
          "there is no pattern '" + plan.pattern +
              "'; there are echo, lines, sink, source, flood, connect, http, broadcast and idle");
  require(!is_datagram(kind) || one_of(plan.pattern, {"echo", "flood", "idle"}),
          "datagrams can only be echoed, or be a flood");
  require(!flood || (is_datagram(kind) && plan.connections == 1),
          "a flood is of datagrams, and comes from one client");
  require(!flood || (plan.size >= static_cast<std::int64_t>(FloodConnection::smallest) &&
                     plan.size <= static_cast<std::int64_t>(FloodConnection::largest)),
          "the datagrams of a flood have 2 to 1472 bytes, not " + std::to_string(plan.size));
  const std::int64_t smallest = one_of(plan.pattern, {"connect", "http", "idle"}) ? 0 : 1;
  const std::int64_t largest = is_datagram(kind) ? largest_datagram : largest_message;
  require(plan.size >= smallest && plan.size <= largest,
          "size must be between " + std::to_string(smallest) + " and " + std::to_string(largest) +
              " bytes, not " + std::to_string(plan.size));
  require(plan.connections >= 1, "at least one connection is needed");
  require(plan.depth >= 1, "depth must be at least 1");
  require(plan.depth == 1 || one_of(plan.pattern, {"echo", "lines", "http", "broadcast"}),
          "the pattern " + plan.pattern + " has no depth");
  require(std::isfinite(plan.timeout_s) && plan.timeout_s > 0 && plan.timeout_s < 1e6,
          "timeout_s must be a positive number of seconds");
  require(!http || plan.request.ends_with("\r\n\r\n"),
          "the request must be a whole head that ends with an empty line");
  require(kind == Kind::tls || (plan.server_name.empty() && plan.certificates.empty()),
          "server_name and certificates are for kind tls");
  check_descriptors(plan.connections);
}

Pattern payload(const Plan& plan) {
  const auto size = static_cast<std::size_t>(plan.size);
  const std::size_t piece = std::max(size, contiguous);
  if (plan.pattern == "lines")
    return Pattern::lines(size, piece);
  if (plan.pattern == "http")
    return {plan.request, piece};
  if (plan.pattern == "source" || plan.pattern == "flood")
    return {source_block(size), piece};
  return Pattern::random(piece);
}

} // namespace loopgauge::bench
