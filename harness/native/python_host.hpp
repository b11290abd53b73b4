// Python callables in the slots. The timed call is one PyObject_Vectorcall (22 ns).
#pragma once

#include <cstdint>
#include <optional>
#include <pybind11/pybind11.h>
#include <vector>

#include "slots.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

// Holds the GIL all the time, on the calling thread. A Python exception stops the run and is kept
// in error() until the run is over, because Google Benchmark must not be unwound.
class PythonHost final : public SlotHost {
 public:
  // runs[slot](n) -> n, otherwise wrong_count (an exception type) is raised. A Work among them is
  // run without a call into Python, and without the GIL.
  // prepare(slot) and finished(slot, wall_ns, thread_ns, process_ns, involuntary_switches) may be
  // None.
  PythonHost(std::vector<pybind11::object> runs, pybind11::object prepare,
             pybind11::object finished, pybind11::object wrong_count);

  bool prepare(std::size_t slot) override;
  bool run(std::size_t slot, std::int64_t n) override;
  bool finished(std::size_t slot, const Sample& sample) override;

  // The exception that stopped the run, if one did.
  std::optional<pybind11::error_already_set>& error() { return error_; }

 private:
  bool run_work(Work& work, std::int64_t n);
  bool keep_error();
  bool check_count(PyObject* result, std::int64_t n);

  std::vector<pybind11::object> runs_;
  std::vector<Work*> works_; // by slot; null for what is Python
  pybind11::object prepare_;
  pybind11::object finished_;
  pybind11::object wrong_count_;
  std::optional<pybind11::error_already_set> error_;
};

} // namespace loopgauge::bench
