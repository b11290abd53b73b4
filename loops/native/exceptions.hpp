// The exception that is set: taking it, keeping it over a clean-up, and whether the loop may stay.
#pragma once

#include <Python.h>

namespace loopgauge::py {

/// Takes the exception that is set, with its traceback. Null if there is none.
PyObject* take_exception();
/// Sets an exception again (stolen).
void restore_exception(PyObject* exception);
/// True for an exception that must leave the loop: SystemExit, KeyboardInterrupt.
bool must_leave();

/// Keeps the exception that is set while clean-up runs, and sets it again. What the clean-up raises
/// meanwhile is dropped if there was one before.
struct KeepException {
  PyObject* kept = take_exception();
  KeepException() = default;
  KeepException(const KeepException&) = delete;
  KeepException& operator=(const KeepException&) = delete;
  ~KeepException() {
    if (kept)
      restore_exception(kept);
  }
};

} // namespace loopgauge::py
