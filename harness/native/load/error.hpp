// What can go wrong with load, in words for people, and of which sort it is for programs.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace loopgauge::bench {

// The names are those of protocol.Failed.kind, see name().
enum class Failure { usage, unavailable, refused, lost, wrong, stalled, stopped };

class LoadError : public std::runtime_error {
 public:
  LoadError(Failure kind, const std::string& reason) : std::runtime_error(reason), kind_(kind) {}
  [[nodiscard]] Failure kind() const noexcept { return kind_; }

 private:
  Failure kind_;
};

inline const char* name(Failure kind) {
  switch (kind) {
  case Failure::usage:
    return "usage";
  case Failure::unavailable:
    return "unavailable";
  case Failure::refused:
    return "refused";
  case Failure::lost:
    return "lost";
  case Failure::wrong:
    return "wrong";
  case Failure::stalled:
    return "stalled";
  case Failure::stopped:
    return "stopped";
  }
  return "usage";
}

// "what: Connection refused", from an errno.
inline std::string with_errno(const std::string& what, int error) {
  return what + ": " + std::strerror(error);
}

} // namespace loopgauge::bench
