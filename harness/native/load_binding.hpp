// The load generator and the floor server for Python: LoadEngine, FloorServer, LoadError,
// load_pattern. Cold: one call per command or slot, without the GIL while it works.
#pragma once

#include <pybind11/pybind11.h>

namespace loopgauge::bench {

void add_load(pybind11::module_& module);

} // namespace loopgauge::bench
