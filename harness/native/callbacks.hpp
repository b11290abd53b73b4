// Callbacks in C for scenarios that want the loop's cost without the interpreter's: raw types with
// vectorcall, because they are called once per operation inside the timed region (through a
// pybind11 class such a call costs about 40 ns more than the 22 ns of a vectorcall).
#pragma once

#include <Python.h>

namespace loopgauge::bench {

// Adds Chain, Counter, noop, spin, spin_cost_ns and the clocks to the module.
// Returns 0, or -1 with a Python exception set.
int add_callbacks(PyObject* module);

} // namespace loopgauge::bench
