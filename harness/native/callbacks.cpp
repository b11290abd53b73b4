#include "callbacks.hpp"

#include "chain.hpp"
#include "clocks.hpp"
#include "counter.hpp"
#include "spin.hpp"

namespace loopgauge::bench {
namespace {

PyObject* noop(PyObject*, PyObject* const*, Py_ssize_t) {
  Py_RETURN_NONE;
}

PyObject* spin_(PyObject*, PyObject* iterations) {
  const unsigned long long count = PyLong_AsUnsignedLongLong(iterations);
  if (PyErr_Occurred())
    return nullptr;
  spin(count);
  Py_RETURN_NONE;
}

PyObject* spin_cost(PyObject*, PyObject*) {
  return PyFloat_FromDouble(spin_cost_ns());
}

template <std::int64_t (*clock)() noexcept>
PyObject* read_clock(PyObject*, PyObject*) {
  return PyLong_FromLongLong(clock());
}

PyMethodDef functions[] = {
    {"noop", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(noop)), METH_FASTCALL,
     "noop(*args)\n--\n\nDoes nothing, with any positional arguments."},
    {"spin", spin_, METH_O,
     "spin(iterations, /)\n--\n\nBurns CPU without touching memory, holding the GIL."},
    {"spin_cost_ns", spin_cost, METH_NOARGS,
     "spin_cost_ns()\n--\n\nCPU nanoseconds of one iteration of spin, measured now (about 1 ms)."},
    {"thread_cpu_ns", read_clock<thread_cpu_ns>, METH_NOARGS,
     "thread_cpu_ns()\n--\n\nCPU time of the calling thread in nanoseconds."},
    {"process_cpu_ns", read_clock<process_cpu_ns>, METH_NOARGS,
     "process_cpu_ns()\n--\n\nCPU time of the process in nanoseconds."},
    {"monotonic_ns", read_clock<monotonic_ns>, METH_NOARGS,
     "monotonic_ns()\n--\n\nCLOCK_MONOTONIC in nanoseconds."},
    {nullptr, nullptr, 0, nullptr},
};

int add_type(PyObject* module, const char* name, PyObject* type) {
  if (!type)
    return -1;
  const int result = PyModule_AddObjectRef(module, name, type);
  Py_DECREF(type);
  return result;
}

} // namespace

int add_callbacks(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0)
    return -1;
  if (add_type(module, "Chain", make_chain_type(module)) < 0)
    return -1;
  return add_type(module, "Counter", make_counter_type(module));
}

} // namespace loopgauge::bench
