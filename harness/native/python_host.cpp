#include "python_host.hpp"

#include <exception>
#include <string>
#include <utility>

namespace py = pybind11;

namespace loopgauge::bench {

PythonHost::PythonHost(std::vector<py::object> runs, py::object prepare, py::object finished,
                       py::object wrong_count)
    : runs_(std::move(runs)), prepare_(std::move(prepare)), finished_(std::move(finished)),
      wrong_count_(std::move(wrong_count)) {
  for (const py::object& run : runs_)
    works_.push_back(py::isinstance<Work>(run) ? run.cast<Work*>() : nullptr);
}

bool PythonHost::prepare(std::size_t slot) {
  if (prepare_.is_none())
    return true;
  const auto index = py::reinterpret_steal<py::object>(PyLong_FromSize_t(slot));
  if (!index)
    return keep_error();
  const auto result =
      py::reinterpret_steal<py::object>(PyObject_CallOneArg(prepare_.ptr(), index.ptr()));
  return result ? true : keep_error();
}

bool PythonHost::run(std::size_t slot, std::int64_t n) {
  if (works_[slot] != nullptr)
    return run_work(*works_[slot], n);
  const auto count = py::reinterpret_steal<py::object>(PyLong_FromLongLong(n));
  if (!count)
    return keep_error();
  PyObject* stack[2] = {nullptr, count.ptr()};
  const auto result = py::reinterpret_steal<py::object>(PyObject_Vectorcall(
      runs_[slot].ptr(), stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  return check_count(result.ptr(), n) ? true : keep_error();
}

bool PythonHost::run_work(Work& work, std::int64_t n) {
  std::int64_t done = 0;
  std::string failure;
  PyThreadState* state = PyEval_SaveThread();
  try {
    done = work.run(n);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  PyEval_RestoreThread(state);
  if (done == n)
    return true;
  if (failure.empty())
    failure = std::to_string(done) + " operations were done instead of " + std::to_string(n);
  PyErr_SetString(wrong_count_.ptr(), failure.c_str());
  return keep_error();
}

bool PythonHost::finished(std::size_t slot, const Sample& sample) {
  if (finished_.is_none())
    return true;
  const auto result = py::reinterpret_steal<py::object>(PyObject_CallFunction(
      finished_.ptr(), "nLLLL", static_cast<Py_ssize_t>(slot),
      static_cast<long long>(sample.wall_ns), static_cast<long long>(sample.thread_ns),
      static_cast<long long>(sample.process_ns),
      static_cast<long long>(sample.involuntary_switches)));
  return result ? true : keep_error();
}

// Takes over the current Python exception.
bool PythonHost::keep_error() {
  error_.emplace();
  return false;
}

// False with a Python exception set: the call failed, or did not return n.
bool PythonHost::check_count(PyObject* result, std::int64_t n) {
  if (!result)
    return false;
  if (PyLong_Check(result)) {
    int overflow = 0;
    const long long done = PyLong_AsLongLongAndOverflow(result, &overflow);
    if (overflow == 0 && done == n)
      return true;
  }
  PyErr_Format(wrong_count_.ptr(), "%R operations were done instead of %lld", result,
               static_cast<long long>(n));
  return false;
}

} // namespace loopgauge::bench
