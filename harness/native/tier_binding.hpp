// The native tier in Python: _bench.NativeLoop, _bench.native_backends and the works of a loop.
#pragma once

#include <pybind11/pybind11.h>

namespace loopgauge::bench {

void add_tier(pybind11::module_& module);

} // namespace loopgauge::bench
