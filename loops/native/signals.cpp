// The pipe through which signals reach the loop; see EventLoop.add_signal_handler.

#include <vector>

#include "loops/native/loop.hpp"

namespace loopgauge::py {
namespace {

// _open_signal_pipe() -> (read fd, write fd)
PyObject* open_signal_pipe(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  const core::Result<int> opened = loop->signals.open();
  if (!opened.ok())
    return raise_os_error(opened.error), nullptr;
  return Py_BuildValue("(ii)", loop->signals.read_fd(), loop->signals.write_fd());
}

PyObject* close_signal_pipe(PyObject* self, PyObject*) {
  as_loop(self)->signals.close();
  Py_RETURN_NONE;
}

// _drain_signal_pipe() -> bytes: one byte per signal that was delivered.
PyObject* drain_signal_pipe(PyObject* self, PyObject*) {
  std::vector<char> numbers;
  as_loop(self)->signals.drain(
      [&](std::uint8_t signum) { numbers.push_back(static_cast<char>(signum)); });
  return PyBytes_FromStringAndSize(numbers.data(), static_cast<Py_ssize_t>(numbers.size()));
}

} // namespace

PyMethodDef signal_methods[] = {
    {"_open_signal_pipe", open_signal_pipe, METH_NOARGS, nullptr},
    {"_close_signal_pipe", close_signal_pipe, METH_NOARGS, nullptr},
    {"_drain_signal_pipe", drain_signal_pipe, METH_NOARGS, nullptr},
    {},
};

} // namespace loopgauge::py
