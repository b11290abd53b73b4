#include "load/pattern.hpp"

#include <algorithm>
#include <cstring>

namespace loopgauge::bench {
namespace {

constexpr std::size_t prime = 65'521;

// SplitMix64: a fixed sequence on every machine, unlike the distributions of <random>.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

std::string random_bytes(std::size_t size) {
  Random random(20'240'815);
  std::string bytes(size, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(random.next());
  return bytes;
}

} // namespace

Pattern::Pattern(std::string_view period, std::size_t contiguous)
    : period_(period.size()), bytes_(period) {
  const std::size_t length = period_ + contiguous;
  bytes_.reserve(length);
  while (bytes_.size() < length)
    bytes_.append(bytes_, 0, std::min(period_, length - bytes_.size()));
}

Pattern Pattern::random(std::size_t contiguous) {
  return {random_bytes(prime), contiguous};
}

Pattern Pattern::lines(std::size_t size, std::size_t contiguous) {
  std::string line = random_bytes(size);
  std::replace(line.begin(), line.end(), '\n', '-');
  line.back() = '\n';
  return {line, contiguous};
}

std::span<const char> Pattern::at(Position position, std::size_t wanted) const noexcept {
  const auto start = static_cast<std::size_t>(position % period_);
  return {bytes_.data() + start, std::min(wanted, bytes_.size() - start)};
}

std::optional<std::size_t> Pattern::mismatch(Position position,
                                             std::span<const char> data) const noexcept {
  std::size_t checked = 0;
  while (checked < data.size()) {
    const auto expected = at(position + checked, data.size() - checked);
    const char* got = data.data() + checked;
    if (std::memcmp(expected.data(), got, expected.size()) != 0)
      return checked +
             static_cast<std::size_t>(std::mismatch(expected.begin(), expected.end(), got).first -
                                      expected.begin());
    checked += expected.size();
  }
  return std::nullopt;
}

std::string source_block(std::size_t size) {
  return random_bytes(size);
}

} // namespace loopgauge::bench
