// A Google Benchmark reporter that prints nothing and hands every finished run on at once.
#pragma once

#include <benchmark/benchmark.h>
#include <functional>
#include <utility>
#include <vector>

namespace loopgauge::bench {

class StreamingReporter final : public benchmark::BenchmarkReporter {
 public:
  explicit StreamingReporter(std::function<void(const Run&)> on_run) : on_run_(std::move(on_run)) {}

  bool ReportContext(const Context&) override { return true; }

  // Google Benchmark calls this after every benchmark that has one repetition, so samples stream
  // out.
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      on_run_(run);
  }

 private:
  std::function<void(const Run&)> on_run_;
};

} // namespace loopgauge::bench
