#include "counting.hpp"

#include <cstdint>
#include <memory>
#include <pybind11/stl.h>
#include <string>

#include "allocations.hpp"
#include "callgrind.hpp"
#include "hardware.hpp"

namespace py = pybind11;

namespace loopgauge::bench {
namespace {

// run(n), and nothing else, between a zero and a dump. Returns what run returned.
py::object run_under_callgrind(const py::object& run, std::int64_t n, const std::string& trigger) {
  const py::int_ count(n);
  callgrind::zero();
  auto result = py::reinterpret_steal<py::object>(PyObject_CallOneArg(run.ptr(), count.ptr()));
  callgrind::dump(trigger.c_str());
  if (!result)
    throw py::error_already_set();
  return result;
}

py::dict stop_allocations() {
  const AllDomains counts = stop_counting_allocations();
  const char* const names[] = {"raw", "mem", "object"};
  py::dict result;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    py::dict domain;
    domain["allocations"] = counts[i].allocations;
    domain["reallocations"] = counts[i].reallocations;
    domain["bytes"] = counts[i].bytes;
    result[names[i]] = domain;
  }
  return result;
}

} // namespace

void add_counting(py::module_& module) {
  module.def("under_valgrind", callgrind::present, "Whether this process runs under valgrind.");
  module.def("start_callgrind", callgrind::start,
             "Count instructions from here on; until then callgrind only executes them.");
  module.def("stop_callgrind", callgrind::stop, "Count no more.");
  module.def("run_under_callgrind", run_under_callgrind, py::arg("run"), py::arg("n"),
             py::arg("trigger"),
             "run(n) with the counts set to zero before and dumped after it, to the next file of\n"
             "--callgrind-out-file, which `trigger` names in its first lines. Returns what run\n"
             "returned.");
  module.def("start_counting_allocations", start_counting_allocations,
             "Count the calls of Python's allocators. False if they are counted already.");
  module.def("stop_counting_allocations", stop_allocations,
             "Domain (raw, mem, object) to allocations, reallocations and the bytes asked for\n"
             "since the start.");
  py::class_<HardwareCounters>(module, "HardwareCounters",
                               "The processor's counters for this thread and those it starts.")
      .def(py::init<>())
      .def("read", &HardwareCounters::read, "Name to count so far, of those the kernel offers.")
      .def_property_readonly("reason", &HardwareCounters::reason,
                             "Why the processor's are missing, \"\" where they are not.");
}

} // namespace loopgauge::bench
