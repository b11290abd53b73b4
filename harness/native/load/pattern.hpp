// Endless periodic bytes: what is sent, and what must come back.
//
// The byte at position p of a stream is period[p % length], so neither side needs a copy: a send
// takes its bytes from here, an answer is compared with here. The length of the random pattern is a
// prime, so that a server which repeats, drops or shifts bytes, or mixes up connections (each
// starts somewhere else), is caught unless it does so by a multiple of 65 521 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace loopgauge::bench {

using Position = std::uint64_t;

class Pattern {
 public:
  // Repeats `period` (not empty). A span of at least `contiguous` bytes is to be had anywhere.
  Pattern(std::string_view period, std::size_t contiguous);

  // Random bytes, always the same.
  static Pattern random(std::size_t contiguous);
  // Lines of `size` bytes, at least 1: random bytes without "\n", then "\n".
  static Pattern lines(std::size_t size, std::size_t contiguous);

  [[nodiscard]] std::size_t period() const noexcept { return period_; }

  // Bytes from `position` on, at most `wanted`; less only where more than `contiguous` are wanted.
  [[nodiscard]] std::span<const char> at(Position position, std::size_t wanted) const noexcept;

  // Index of the first byte of `data` that is not what the pattern has from `position` on.
  [[nodiscard]] std::optional<std::size_t> mismatch(Position position,
                                                    std::span<const char> data) const noexcept;

 private:
  std::size_t period_;
  std::string bytes_; // the period, over and over, for period_ + contiguous bytes
};

// What a server of the pattern "source" sends over and over: `size` random bytes.
std::string source_block(std::size_t size);

} // namespace loopgauge::bench
