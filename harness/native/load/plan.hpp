// What a group is asked to be: protocol.Open, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "load/address.hpp"
#include "load/pattern.hpp"

namespace loopgauge::bench {

// The members of protocol.Open.
struct Plan {
  std::string kind;
  std::string address;
  std::string pattern;
  std::int64_t connections = 1;
  std::int64_t size = 1;
  std::int64_t depth = 1;
  double timeout_s = 10;
  std::string request;
  std::optional<std::string> expect;
  std::string server_name;
  std::string certificates;
};

// Throws LoadError(usage) for what makes no sense, (unavailable) for more connections than this
// process may have descriptors.
void check(const Plan& plan);

// The bytes that the connections of the group send (source: receive).
Pattern payload(const Plan& plan);

} // namespace loopgauge::bench
