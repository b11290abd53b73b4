// Decides, byte by byte, whether what the server sends is what it must send, and how many
// operations that completes. Throws LoadError(wrong) otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "load/pattern.hpp"

namespace loopgauge::bench {

class Checker {
 public:
  virtual ~Checker() = default;
  // `count` more operations have been asked for.
  virtual void expect(std::int64_t count) = 0;
  // The next bytes of the stream. Returns how many operations they complete.
  virtual std::int64_t consume(std::span<const char> data) = 0;
  // Where in the answers the stream is: "at byte 12 of operation 3".
  [[nodiscard]] virtual std::string where() const = 0;
};

// The pattern's bytes from `start` on, every `size` of them an operation.
std::unique_ptr<Checker> echo_checker(const Pattern& pattern, Position start, std::size_t size);
// sink: the header that announced each start(), once.
std::unique_ptr<Checker> receipt_checker(std::size_t size);
// source: the block of `size` bytes that `pattern` repeats, from its beginning for each start().
std::unique_ptr<Checker> source_checker(const Pattern& pattern, std::size_t size);
// http: status 200 and, unless it is null, the body.
std::unique_ptr<Checker> http_checker(std::optional<std::string> body);

// The header of sink and source.
std::string big_endian(std::uint64_t value);

} // namespace loopgauge::bench
