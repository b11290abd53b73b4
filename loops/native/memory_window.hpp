// MemoryWindow: one reusable object through which C code of the standard library reads or writes
// memory that belongs to nobody's Python object.
#pragma once

#include <Python.h>

namespace loopgauge::py {

struct MemoryWindow {
  PyObject_HEAD char* data; // null while closed
  Py_ssize_t size;
};

PyTypeObject* make_memory_window_type(PyObject* module);

/// Opens a window on `size` bytes for one call of a C function that keeps neither the window nor a
/// buffer of it. A Python function could keep a memoryview: never hand it one.
class OpenWindow {
 public:
  /// `spare` is where one closed window is kept for the next caller (a call costs no allocation).
  OpenWindow(PyTypeObject* type, PyObject** spare, const void* data, Py_ssize_t size);
  ~OpenWindow();
  OpenWindow(const OpenWindow&) = delete;
  OpenWindow& operator=(const OpenWindow&) = delete;

  /// Borrowed; null with MemoryError set.
  PyObject* get() const { return object_; }
  void move(const void* data, Py_ssize_t size);

 private:
  PyObject** spare_;
  PyObject* object_;
};

} // namespace loopgauge::py
