// Google Benchmark driven slot by slot: the harness owns the schedule, Google Benchmark the timing.
//
// A slot is one timed call that performs n operations. One benchmark is registered per slot, in
// schedule order, with a fixed iteration count and one repetition, and a single
// RunSpecifiedBenchmarks runs them: exact interleaving, and a report after every slot.
//
// What Google Benchmark (1.7.1 to 1.9) does that this file works around:
// - it knows no exceptions: a failing host says so by its return value and the remaining slots are
// skipped;
// - a body that returns before its loop is done, without an error, aborts 1.7.1: SkipWithError
// comes first;
// - an error in the first of several repetitions crashes: there is never more than one;
// - reported names gain suffixes ("7/iterations:100/repeats:1"): "^" selects all, the key is our
// own index;
// - the registry is global: it is cleared before run_slots returns, and a nested run is refused;
// - BENCHMARK_* environment variables are read when the library is loaded: the importer removes
// them. Initialize and Shutdown are never called; nothing here needs them, and Shutdown twice is an
// error.
#pragma once

#include <benchmark/benchmark.h>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "clocks.hpp"
#include "reporter.hpp"

namespace loopgauge::bench {

// Totals of one slot. wall and thread are Google Benchmark's own; process is read right around the
// call.
struct Sample {
  std::int64_t iterations;
  std::int64_t wall_ns;
  std::int64_t thread_ns;
  std::int64_t process_ns;
  std::int64_t involuntary_switches;
};

// What runs in the slots. Every call returns false to stop the whole run; none may throw.
class SlotHost {
 public:
  virtual ~SlotHost() = default;
  virtual bool prepare(std::size_t slot) = 0;                 // right before the slot, not timed
  virtual bool run(std::size_t slot, std::int64_t n) = 0;     // timed: n operations in one call
  virtual bool finished(std::size_t slot, const Sample&) = 0; // right after the slot, not timed
};

namespace detail {

// Owns the global registry of Google Benchmark for one run.
class Registry {
 public:
  Registry() {
    if (active_)
      throw std::logic_error("a benchmark is already running: slots cannot be nested");
    active_ = true;
  }
  ~Registry() {
    benchmark::ClearRegisteredBenchmarks();
    active_ = false;
  }
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

 private:
  static inline bool active_ = false;
};

inline std::int64_t to_ns(double seconds) {
  return std::llround(seconds * 1e9);
}

inline constexpr const char* process_counter = "process_ns";
inline constexpr const char* switches_counter = "involuntary_switches";

// The body of every slot. Returns false if the host asked to stop.
inline bool time_slot(benchmark::State& state, SlotHost& host, std::size_t slot,
                      std::int64_t grain) {
  std::int64_t process = 0;
  bool ok = host.prepare(slot);
  if (!ok) {
    state.SkipWithError("stopped before the slot");
    return false;
  }
  const std::int64_t switches = involuntary_switches();
  while (state.KeepRunningBatch(state.max_iterations)) {
    const std::int64_t start = process_cpu_ns();
    ok = host.run(slot, state.max_iterations * grain);
    process += process_cpu_ns() - start;
  }
  state.counters[process_counter] = static_cast<double>(process);
  state.counters[switches_counter] = static_cast<double>(involuntary_switches() - switches);
  if (!ok)
    state.SkipWithError("stopped in the slot");
  return ok;
}

inline Sample to_sample(const benchmark::BenchmarkReporter::Run& run) {
  const auto counter = [&run](const char* name) {
    return static_cast<std::int64_t>(run.counters.at(name).value);
  };
  return {.iterations = run.iterations,
          .wall_ns = to_ns(run.real_accumulated_time),
          .thread_ns = to_ns(run.cpu_accumulated_time),
          .process_ns = counter(process_counter),
          .involuntary_switches = counter(switches_counter)};
}

} // namespace detail

// Runs slot 0, 1, ... with the given number of operations each (all at least 1).
// Returns the slot at which the host stopped the run, or nothing if all were done.
inline std::optional<std::size_t> run_slots(std::span<const std::int64_t> operations,
                                            SlotHost& host) {
  if (operations.empty())
    return std::nullopt; // Google Benchmark would complain on stderr that nothing matches
  const detail::Registry registry;
  std::optional<std::size_t> stopped;
  for (std::size_t slot = 0; slot < operations.size(); ++slot) {
    const auto body = [&host, &stopped, slot](benchmark::State& state) {
      if (stopped)
        state.SkipWithError("an earlier slot stopped the run");
      else if (!detail::time_slot(state, host, slot, 1))
        stopped = slot;
    };
    benchmark::RegisterBenchmark(std::to_string(slot).c_str(), body)
        ->Iterations(operations[slot])
        ->Repetitions(1);
  }
  StreamingReporter reporter([&](const benchmark::BenchmarkReporter::Run& run) {
    if (stopped)
      return;
    const std::size_t slot = std::stoull(run.run_name.function_name);
    if (!host.finished(slot, detail::to_sample(run)))
      stopped = slot;
  });
  benchmark::RunSpecifiedBenchmarks(&reporter, "^");
  return stopped;
}

enum class CalibrationClock { thread_cpu, wall };

// Lets Google Benchmark find how many operations take min_time seconds; a multiple of grain.
// prepare and finished are called around every attempt (slot 0). Nothing if the host stopped it.
inline std::optional<std::int64_t> calibrate(SlotHost& host, double min_time, std::int64_t grain,
                                             CalibrationClock clock) {
  const detail::Registry registry;
  bool ok = true;
  std::int64_t operations = 0;
  auto* bench = benchmark::RegisterBenchmark("calibrate", [&](benchmark::State& state) {
    ok = ok && detail::time_slot(state, host, 0, grain);
    if (!ok)
      state.SkipWithError("stopped");
  });
  bench->MinTime(min_time)->Repetitions(1);
  if (clock == CalibrationClock::wall)
    bench->UseRealTime();
  StreamingReporter reporter(
      [&](const benchmark::BenchmarkReporter::Run& run) { operations = run.iterations * grain; });
  benchmark::RunSpecifiedBenchmarks(&reporter, "^");
  if (!ok)
    return std::nullopt;
  return operations;
}

} // namespace loopgauge::bench
