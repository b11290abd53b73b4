// Counter(): a callback that counts its calls, whatever the arguments.
#pragma once

#include <Python.h>

namespace loopgauge::bench {

// A new reference to the type, or null with a Python exception set.
PyObject* make_counter_type(PyObject* module);

} // namespace loopgauge::bench
