// MemoryWindow: a buffer exporter without memory of its own. A memoryview over the same bytes costs
// two allocations a call, and needs an object that owns them.

#include "loops/native/memory_window.hpp"

#include <utility>

namespace loopgauge::py {
namespace {

MemoryWindow* as_window(PyObject* object) {
  return reinterpret_cast<MemoryWindow*>(object);
}

int window_getbuffer(PyObject* self, Py_buffer* view, int flags) {
  const MemoryWindow* window = as_window(self);
  if (!window->data) {
    PyErr_SetString(PyExc_BufferError, "the window is closed");
    view->obj = nullptr;
    return -1;
  }
  return PyBuffer_FillInfo(view, self, window->data, window->size, 0, flags);
}

void window_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

} // namespace

PyTypeObject* make_memory_window_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(window_getbuffer)},
      {Py_tp_dealloc, reinterpret_cast<void*>(window_dealloc)},
      {},
  };
  PyType_Spec spec{"loopgauge._core._MemoryWindow", sizeof(MemoryWindow), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
}

OpenWindow::OpenWindow(PyTypeObject* type, PyObject** spare, const void* data, Py_ssize_t size)
    : spare_(spare), object_(std::exchange(*spare, nullptr)) {
  if (!object_)
    object_ = type->tp_alloc(type, 0);
  move(data, size);
}

OpenWindow::~OpenWindow() {
  if (!object_)
    return;
  as_window(object_)->data = nullptr;
  if (*spare_ || Py_REFCNT(object_) != 1)
    Py_DECREF(object_);
  else
    *spare_ = object_;
}

void OpenWindow::move(const void* data, Py_ssize_t size) {
  if (!object_)
    return;
  as_window(object_)->data = const_cast<char*>(static_cast<const char*>(data));
  as_window(object_)->size = size;
}

} // namespace loopgauge::py
