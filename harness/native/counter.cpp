#include "counter.hpp"

#include <cstddef>
#include <structmember.h>

namespace loopgauge::bench {
namespace {

struct Counter {
  PyObject_HEAD vectorcallfunc vectorcall;
  Py_ssize_t count;
};

PyObject* call(PyObject* self, PyObject* const*, size_t, PyObject*) {
  ++reinterpret_cast<Counter*>(self)->count;
  Py_RETURN_NONE;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Counter", const_cast<char**>(names)))
    return nullptr;
  auto* counter = reinterpret_cast<Counter*>(type->tp_alloc(type, 0));
  if (counter)
    counter->vectorcall = call;
  return reinterpret_cast<PyObject*>(counter);
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Counter, vectorcall), READONLY, nullptr},
    {"count", T_PYSSIZET, offsetof(Counter, count), 0, "calls so far; may be set"},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Counter()\n--\n\n"
                                  "Callback that takes any arguments and counts its calls.")},
    {Py_tp_new, reinterpret_cast<void*>(create)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_members, members},
    {0, nullptr},
};

PyType_Spec spec = {
    .name = "loopgauge._bench.Counter",
    .basicsize = sizeof(Counter),
    .itemsize = 0,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

} // namespace

PyObject* make_counter_type(PyObject* module) {
  return PyType_FromModuleAndSpec(module, &spec, nullptr);
}

} // namespace loopgauge::bench
