// loopgauge._bench: the Python module on Google Benchmark. Everything here runs once per slot or
// less.
#include <cmath>
#include <pybind11/pybind11.h>
#include <string>
#include <utility>
#include <vector>

#include "callbacks.hpp"
#include "counting.hpp"
#include "load_binding.hpp"
#include "python_host.hpp"
#include "slots.hpp"
#include "tier_binding.hpp"

namespace py = pybind11;
using namespace loopgauge::bench;

namespace {

py::object new_exception(py::module_& module, const char* name, const char* doc, PyObject* base) {
  const std::string qualified = "loopgauge._bench." + std::string(name);
  auto type = py::reinterpret_steal<py::object>(
      PyErr_NewExceptionWithDoc(qualified.c_str(), doc, base, nullptr));
  if (!type)
    throw py::error_already_set();
  module.add_object(name, type);
  return type;
}

// Raises slot_error(slot) from the exception that stopped the run. KeyboardInterrupt is no failure
// of the slot and is raised as it is; other BaseExceptions are (a panic of a loop in Rust is one).
[[noreturn]] void raise_slot_error(py::error_already_set& error, const py::object& slot_error,
                                   std::size_t slot) {
  if (error.matches(PyExc_KeyboardInterrupt))
    throw py::error_already_set(error);
  py::object raised = slot_error(slot);
  raised.attr("slot") = slot;
  const py::object& cause = error.value();
  if (error.trace())
    PyException_SetTraceback(cause.ptr(), error.trace().ptr());
  PyException_SetCause(raised.ptr(), py::object(cause).release().ptr()); // steals
  PyErr_SetObject(slot_error.ptr(), raised.ptr());
  throw py::error_already_set();
}

struct Slots {
  std::vector<py::object> runs;
  std::vector<std::int64_t> operations;
};

Slots read_slots(const py::sequence& slots) {
  Slots result;
  for (const py::handle& item : slots) {
    const auto pair = item.cast<std::pair<py::object, std::int64_t>>();
    if (!PyCallable_Check(pair.first.ptr()) && !py::isinstance<Work>(pair.first))
      throw py::type_error("a slot is (callable or Work, operations)");
    if (pair.second < 1)
      throw py::value_error("a slot needs at least one operation");
    result.runs.push_back(pair.first);
    result.operations.push_back(pair.second);
  }
  return result;
}

void run_python_slots(const py::sequence& slots, py::object prepare, py::object finished,
                      const py::object& slot_error, const py::object& wrong_count) {
  Slots schedule = read_slots(slots);
  PythonHost host(std::move(schedule.runs), std::move(prepare), std::move(finished), wrong_count);
  const auto stopped = run_slots(schedule.operations, host);
  if (stopped)
    raise_slot_error(*host.error(), slot_error, *stopped);
}

std::int64_t calibrate_python(const py::object& run, double min_time, std::int64_t grain, bool wall,
                              py::object prepare, const py::object& wrong_count) {
  if (!std::isfinite(min_time) || min_time <= 0)
    throw py::value_error("min_time must be a positive number of seconds");
  if (grain < 1)
    throw py::value_error("grain must be at least 1");
  PythonHost host({run}, std::move(prepare), py::none(), wrong_count);
  const auto clock = wall ? CalibrationClock::wall : CalibrationClock::thread_cpu;
  const auto operations = calibrate(host, min_time, grain, clock);
  if (!operations)
    throw py::error_already_set(*host.error());
  return *operations;
}

} // namespace

PYBIND11_MODULE(_bench, module) {
  module.doc() = "Slots timed by Google Benchmark, native callbacks for scenarios, load and floor.";
  const py::object slot_error =
      new_exception(module, "SlotError",
                    "A slot raised: .slot is its index, __cause__ what it raised. Slots before "
                    "it are measured, it and those after it are not.",
                    PyExc_RuntimeError);
  const py::object wrong_count = new_exception(
      module, "WrongCount", "run(n) did not return n: the work was not done.", PyExc_RuntimeError);

  module.def(
      "run_slots",
      [slot_error, wrong_count](const py::sequence& slots, py::object prepare,
                                py::object finished) {
        run_python_slots(slots, std::move(prepare), std::move(finished), slot_error, wrong_count);
      },
      py::arg("slots"), py::arg("prepare") = py::none(), py::arg("finished") = py::none(),
      "Time each (run, n) of slots in order: one call run(n), which must return n. `run` may be a\n"
      "Work, which is then called without the GIL and without Python.\n\n"
      "prepare(slot) runs untimed before, finished(slot, wall_ns, thread_ns, process_ns,\n"
      "involuntary_switches) untimed after each slot. Times are totals of the slot in ns.\n"
      "The first exception stops the run and is raised as SlotError.");
  module.def(
      "calibrate",
      [wrong_count](const py::object& run, double min_time, std::int64_t grain, bool wall,
                    py::object prepare) {
        return calibrate_python(run, min_time, grain, wall, std::move(prepare), wrong_count);
      },
      py::arg("run"), py::arg("min_time"), py::arg("grain") = 1, py::arg("wall") = false,
      py::arg("prepare") = py::none(),
      "Operations that run(n) does in min_time seconds of thread CPU (or wall) time, found by\n"
      "Google Benchmark: a multiple of grain. prepare(0) runs untimed before every attempt.\n"
      "What run raises is raised as it is.");
  if (add_callbacks(module.ptr()) < 0)
    throw py::error_already_set();
  add_load(module);
  add_tier(module);
  add_counting(module);
}
