// Work for a native loop: what a scenario does, as C++ callbacks.
#pragma once

#include <cstdint>

namespace loopgauge::bench {

/// One scenario on one loop (or on bare system calls). Made and run by the loop's thread, which
/// does not hold the GIL meanwhile.
class Work {
 public:
  Work() = default;
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  /// Does `n` operations and returns how many it verified: fewer than `n` if it was interrupted.
  /// Throws NativeFailure.
  virtual std::int64_t run(std::int64_t n) = 0;

  /// What the last run measured, where the scenario measures a value.
  [[nodiscard]] virtual double value() const { return 0; }
};

/// Nothing, `n` times: what the harness itself costs inside a timed region.
class EmptyWork final : public Work {
 public:
  std::int64_t run(std::int64_t n) override {
    std::int64_t done = 0;
    while (done < n) {
      ++done;
      asm volatile("" : "+r"(done)); // or the compiler sets done to n
    }
    return done;
  }
};

} // namespace loopgauge::bench
