// Latencies in nanoseconds, log-linear as in HdrHistogram: buckets are exact below 2 048 ns and at
// most 0.1 % of their value wide above. Histograms of several connections or processes merge by
// adding, without loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace loopgauge::bench {

class Histogram {
 public:
  static constexpr std::int64_t largest = (std::int64_t{1} << 42) - 1; // 73 minutes

  Histogram();

  // Below zero counts as zero, above `largest` as `largest` (max() tells the truth).
  void record(std::int64_t nanoseconds) noexcept;
  void merge(const Histogram& other) noexcept;
  void clear() noexcept;

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] std::int64_t min() const noexcept { return count_ ? min_ : 0; }
  [[nodiscard]] std::int64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept;

  // The smallest recorded value (upper edge of its bucket) that a fraction `q`, in (0, 1), of the
  // samples does not exceed. Nothing where fewer than ten samples lie beyond it: such a quantile
  // would be the story of a few samples.
  [[nodiscard]] std::optional<std::int64_t> quantile(double q) const;

  // (bucket, count) of every bucket that is not empty, ascending.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::int64_t>> buckets() const;

  [[nodiscard]] static std::size_t bucket_of(std::int64_t nanoseconds) noexcept;
  // The largest value that falls into the bucket.
  [[nodiscard]] static std::int64_t upper_edge(std::size_t bucket) noexcept;

 private:
  std::vector<std::int64_t> counts_;
  std::int64_t count_ = 0;
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0;
};

} // namespace loopgauge::bench
