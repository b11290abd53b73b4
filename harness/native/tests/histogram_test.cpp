#include <cstdint>
#include <gtest/gtest.h>

#include "harness/native/load/histogram.hpp"

namespace loopgauge::bench {
namespace {

TEST(Histogram, EveryValueLiesInItsBucketAndBucketsAreNarrow) {
  std::int64_t below = -1; // the edge of the bucket before
  for (std::size_t bucket = 0; bucket <= Histogram::bucket_of(Histogram::largest); ++bucket) {
    const std::int64_t edge = Histogram::upper_edge(bucket);
    ASSERT_EQ(Histogram::bucket_of(edge), bucket);
    ASSERT_EQ(Histogram::bucket_of(below + 1), bucket);
    const double width = static_cast<double>(edge - below);
    ASSERT_LE(width, 1 + static_cast<double>(edge) * 0.001);
    below = edge;
  }
  EXPECT_EQ(below, Histogram::largest);
}

TEST(Histogram, QuantilesAreThoseOfTheSamples) {
  Histogram histogram;
  for (std::int64_t value = 1; value <= 100'000; ++value)
    histogram.record(value * 1'000);
  EXPECT_EQ(histogram.count(), 100'000);
  EXPECT_EQ(histogram.min(), 1'000);
  EXPECT_EQ(histogram.max(), 100'000'000);
  EXPECT_NEAR(histogram.mean(), 50'000'500, 1);
  for (const double q : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto found = histogram.quantile(q);
    ASSERT_TRUE(found);
    EXPECT_GE(static_cast<double>(*found), q * 1e8);
    EXPECT_LE(static_cast<double>(*found), q * 1e8 * 1.001);
  }
}

TEST(Histogram, RefusesAQuantileWithFewerThanTenSamplesBeyond) {
  Histogram histogram;
  for (int i = 0; i < 9'999; ++i)
    histogram.record(5);
  EXPECT_TRUE(histogram.quantile(0.99));
  EXPECT_FALSE(histogram.quantile(0.999));
  histogram.record(5);
  EXPECT_TRUE(histogram.quantile(0.999));
  EXPECT_FALSE(histogram.quantile(0.9999));
  EXPECT_FALSE(Histogram().quantile(0.5));
}

TEST(Histogram, MergingIsRecordingIntoOne) {
  Histogram one;
  Histogram other;
  Histogram both;
  for (std::int64_t value = 1; value < 5'000; ++value) {
    (value % 3 ? one : other).record(value * value);
    both.record(value * value);
  }
  one.merge(other);
  one.merge(Histogram());
  EXPECT_EQ(one.buckets(), both.buckets());
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.min(), both.min());
  EXPECT_EQ(one.max(), both.max());
  EXPECT_EQ(one.quantile(0.99), both.quantile(0.99));
}

TEST(Histogram, ValuesOutOfRangeAreCountedAtTheEdge) {
  Histogram histogram;
  histogram.record(-7);
  histogram.record(INT64_MAX);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), INT64_MAX);
  const auto buckets = histogram.buckets();
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets.front().first, 0U);
  EXPECT_EQ(buckets.back().first, Histogram::bucket_of(Histogram::largest));
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_TRUE(histogram.buckets().empty());
}

} // namespace
} // namespace loopgauge::bench
