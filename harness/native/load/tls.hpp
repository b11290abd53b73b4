// TLS for the generator by the system's OpenSSL, which is loaded when it is first asked for: no
// build, wheel or worker that does without TLS depends on it.
#pragma once

#include <memory>
#include <string>

#include "load/stream.hpp"

namespace loopgauge::bench {

class Tls {
 public:
  // `certificates`: a file of trusted ones; empty: nothing is verified. `server_name`: SNI, and
  // what is verified. Throws LoadError(unavailable) without a library, (usage) for a bad file.
  Tls(const std::string& server_name, const std::string& certificates);
  ~Tls();

  [[nodiscard]] std::unique_ptr<Stream> wrap(core::UniqueFd fd) const;

  // Why there is no TLS here; empty if there is.
  static std::string unavailable();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

} // namespace loopgauge::bench
