// Chain(call_soon, n, done): a callback that schedules itself until it was called n times, then
// calls done().
#pragma once

#include <Python.h>

namespace loopgauge::bench {

// A new reference to the type, or null with a Python exception set.
PyObject* make_chain_type(PyObject* module);

} // namespace loopgauge::bench
