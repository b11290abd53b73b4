// What is counted instead of timed: instructions under callgrind, Python's allocations, and the
// hardware counters of the kernel.
#pragma once

#include <pybind11/pybind11.h>

namespace loopgauge::bench {

void add_counting(pybind11::module_& module);

} // namespace loopgauge::bench
