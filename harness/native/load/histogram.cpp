#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace loopgauge::bench {
namespace {

// A value keeps its 11 leading bits; with the leading one implied, 2^10 buckets for each power of
// two.
constexpr int kept_bits = 11;
constexpr std::size_t half = std::size_t{1} << (kept_bits - 1);
constexpr double samples_beyond = 10;

} // namespace

Histogram::Histogram() : counts_(bucket_of(largest) + 1) {}

std::size_t Histogram::bucket_of(std::int64_t nanoseconds) noexcept {
  const auto value = static_cast<std::uint64_t>(std::clamp<std::int64_t>(nanoseconds, 0, largest));
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kept_bits);
  return static_cast<std::size_t>(shift) * half + static_cast<std::size_t>(value >> shift);
}

std::int64_t Histogram::upper_edge(std::size_t bucket) noexcept {
  if (bucket < 2 * half)
    return static_cast<std::int64_t>(bucket);
  const std::size_t shift = bucket / half - 1;
  const std::size_t leading = bucket - shift * half;
  return static_cast<std::int64_t>(((leading + 1) << shift) - 1);
}

void Histogram::record(std::int64_t nanoseconds) noexcept {
  nanoseconds = std::max<std::int64_t>(nanoseconds, 0);
  ++counts_[bucket_of(nanoseconds)];
  min_ = count_ ? std::min(min_, nanoseconds) : nanoseconds;
  max_ = std::max(max_, nanoseconds);
  sum_ += static_cast<double>(nanoseconds);
  ++count_;
}

void Histogram::merge(const Histogram& other) noexcept {
  if (other.count_ == 0)
    return;
  min_ = count_ ? std::min(min_, other.min_) : other.min_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  count_ += other.count_;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket)
    counts_[bucket] += other.counts_[bucket];
}

void Histogram::clear() noexcept {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = min_ = max_ = 0;
  sum_ = 0;
}

double Histogram::mean() const noexcept {
  return count_ ? sum_ / static_cast<double>(count_) : 0;
}

std::optional<std::int64_t> Histogram::quantile(double q) const {
  const auto total = static_cast<double>(count_);
  // 10 000 * (1 - 0.999) is 9.999... in binary: a hair less counts as ten.
  if (total * (1 - q) < samples_beyond - 1e-6)
    return std::nullopt;
  const auto rank = std::max<std::int64_t>(1, std::llround(std::ceil(total * q - 1e-6)));
  std::int64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank)
      return std::min(upper_edge(bucket), max_);
  }
  return max_;
}

std::vector<std::pair<std::size_t, std::int64_t>> Histogram::buckets() const {
  std::vector<std::pair<std::size_t, std::int64_t>> found;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket)
    if (counts_[bucket])
      found.emplace_back(bucket, counts_[bucket]);
  return found;
}

} // namespace loopgauge::bench
