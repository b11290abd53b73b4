#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "harness/native/slots.hpp"

namespace loopgauge::bench {
namespace {

// Writes down what is called, and stops where it is told to.
class RecordingHost : public SlotHost {
 public:
  bool prepare(std::size_t slot) override { return record("prepare", slot); }
  bool run(std::size_t slot, std::int64_t n) override {
    operations.push_back(n);
    return record("run", slot);
  }
  bool finished(std::size_t slot, const Sample& sample) override {
    samples.push_back(sample);
    return record("finished", slot);
  }

  std::string stop_at;
  std::vector<std::string> calls;
  std::vector<std::int64_t> operations;
  std::vector<Sample> samples;

 private:
  bool record(const std::string& call, std::size_t slot) {
    calls.push_back(call + " " + std::to_string(slot));
    return calls.back() != stop_at;
  }
};

const std::vector<std::int64_t> three = {3, 1, 2};

TEST(RunSlots, RunsEverySlotOnceInOrderAndReportsAtOnce) {
  RecordingHost host;
  EXPECT_EQ(run_slots(three, host), std::nullopt);
  EXPECT_EQ(host.calls,
            (std::vector<std::string>{"prepare 0", "run 0", "finished 0", "prepare 1", "run 1",
                                      "finished 1", "prepare 2", "run 2", "finished 2"}));
  EXPECT_EQ(host.operations, three);
}

TEST(RunSlots, KeepsTheOrderOfManySlots) {
  RecordingHost host;
  const std::vector<std::int64_t> many(200, 1);
  EXPECT_EQ(run_slots(many, host), std::nullopt);
  ASSERT_EQ(host.calls.size(), 600U);
  EXPECT_EQ(host.calls[3 * 10], "prepare 10");
  EXPECT_EQ(host.calls[3 * 150 + 2], "finished 150");
}

TEST(RunSlots, CountsTheProcessorTimeOfTheCallOnly) {
  class Burner : public RecordingHost {
   public:
    bool prepare(std::size_t slot) override {
      burn(20'000'000);
      return RecordingHost::prepare(slot);
    }
    bool run(std::size_t slot, std::int64_t n) override {
      burn(2'000'000);
      return RecordingHost::run(slot, n);
    }

   private:
    static void burn(std::int64_t ns) {
      const std::int64_t end = thread_cpu_ns() + ns;
      while (thread_cpu_ns() < end) {
      }
    }
  } host;
  run_slots(std::vector<std::int64_t>{5}, host);
  const Sample& sample = host.samples.at(0);
  EXPECT_EQ(sample.iterations, 5);
  EXPECT_GE(sample.process_ns, 2'000'000);
  EXPECT_GE(sample.thread_ns, 2'000'000);
  EXPECT_GE(sample.wall_ns, 2'000'000);
  EXPECT_LT(sample.thread_ns, 20'000'000); // prepare is outside
  EXPECT_GE(sample.involuntary_switches, 0);
}

TEST(RunSlots, NoSlotsIsNoRun) {
  RecordingHost host;
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_slots({}, host), std::nullopt);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(host.calls.empty());
}

// Every place at which a host may stop: the slot is named, nothing after it happens.
class StoppedRun : public testing::TestWithParam<const char*> {};

TEST_P(StoppedRun, NamesTheSlotAndSkipsTheRest) {
  RecordingHost host;
  host.stop_at = GetParam();
  EXPECT_EQ(run_slots(three, host), std::optional<std::size_t>(1));
  EXPECT_EQ(host.calls.back(), GetParam());
}

TEST_P(StoppedRun, LeavesTheEngineUsable) {
  RecordingHost stopped;
  stopped.stop_at = GetParam();
  run_slots(three, stopped);
  RecordingHost host;
  EXPECT_EQ(run_slots(three, host), std::nullopt);
  EXPECT_EQ(host.samples.size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, StoppedRun,
                         testing::Values("prepare 1", "run 1", "finished 1"));

TEST(RunSlots, RefusesToBeNested) {
  class Nested : public RecordingHost {
   public:
    bool run(std::size_t, std::int64_t) override {
      RecordingHost inner;
      EXPECT_THROW(run_slots(three, inner), std::logic_error);
      return true;
    }
  } host;
  EXPECT_EQ(run_slots(three, host), std::nullopt);
  EXPECT_EQ(host.samples.size(), 3U);
}

// Takes a microsecond an operation on the clock under test, so that the answer is known.
class KnownCost : public RecordingHost {
 public:
  bool run(std::size_t slot, std::int64_t n) override {
    const std::int64_t end = thread_cpu_ns() + n * 1000;
    while (thread_cpu_ns() < end) {
    }
    return RecordingHost::run(slot, n);
  }
};

TEST(Calibrate, FindsHowManyOperationsFillTheTime) {
  for (const auto clock : {CalibrationClock::thread_cpu, CalibrationClock::wall}) {
    KnownCost host;
    const auto n = calibrate(host, 0.002, 1, clock);
    ASSERT_TRUE(n.has_value());
    EXPECT_EQ(*n, host.operations.back()); // the attempt that was long enough
    EXPECT_GE(*n, 1);
    EXPECT_LE(*n, 2000 * 10); // never more than ten times too many
  }
}

TEST(Calibrate, OnlyAsksForMultiplesOfTheGrain) {
  KnownCost host;
  const auto n = calibrate(host, 0.001, 7, CalibrationClock::thread_cpu);
  ASSERT_TRUE(n.has_value());
  EXPECT_EQ(*n % 7, 0);
  for (const std::int64_t attempt : host.operations)
    EXPECT_EQ(attempt % 7, 0);
}

TEST(Calibrate, StopsWithTheHost) {
  for (const char* where : {"prepare 0", "run 0"}) {
    RecordingHost host;
    host.stop_at = where;
    EXPECT_EQ(calibrate(host, 0.001, 1, CalibrationClock::thread_cpu), std::nullopt);
    EXPECT_EQ(host.calls.back(), where);
  }
}

} // namespace
} // namespace loopgauge::bench
