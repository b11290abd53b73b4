#include "chain.hpp"

#include <cstddef>
#include <structmember.h>

namespace loopgauge::bench {
namespace {

struct Chain {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* call_soon; // owned; null only after clear
  PyObject* done;      // owned; null only after clear
  Py_ssize_t
      remaining; // below zero: called more often than asked for, which the scenario's check sees
};

PyObject* schedule_again(Chain* chain) {
  PyObject* stack[2] = {nullptr, reinterpret_cast<PyObject*>(chain)};
  return PyObject_Vectorcall(chain->call_soon, stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                             nullptr);
}

PyObject* call(PyObject* self, PyObject* const*, size_t nargsf, PyObject* kwnames) {
  auto* chain = reinterpret_cast<Chain*>(self);
  if (PyVectorcall_NARGS(nargsf) != 0 || (kwnames && PyTuple_GET_SIZE(kwnames) != 0)) {
    PyErr_SetString(PyExc_TypeError, "Chain takes no arguments when called");
    return nullptr;
  }
  if (!chain->call_soon) {
    PyErr_SetString(PyExc_RuntimeError, "Chain was cleared by the garbage collector");
    return nullptr;
  }
  --chain->remaining;
  if (chain->remaining < 0)
    Py_RETURN_NONE;
  PyObject* result =
      chain->remaining > 0 ? schedule_again(chain) : PyObject_CallNoArgs(chain->done);
  if (!result)
    return nullptr;
  Py_DECREF(result);
  Py_RETURN_NONE;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"call_soon", "n", "done", nullptr};
  PyObject* call_soon = nullptr;
  PyObject* done = nullptr;
  Py_ssize_t n = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OnO:Chain", const_cast<char**>(names), &call_soon,
                                   &n, &done))
    return nullptr;
  if (!PyCallable_Check(call_soon) || !PyCallable_Check(done)) {
    PyErr_SetString(PyExc_TypeError, "call_soon and done must be callable");
    return nullptr;
  }
  if (n < 1) {
    PyErr_Format(PyExc_ValueError, "n must be at least 1, not %zd", n);
    return nullptr;
  }
  auto* chain = reinterpret_cast<Chain*>(type->tp_alloc(type, 0));
  if (!chain)
    return nullptr;
  chain->vectorcall = call;
  chain->call_soon = Py_NewRef(call_soon);
  chain->done = Py_NewRef(done);
  chain->remaining = n;
  return reinterpret_cast<PyObject*>(chain);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  auto* chain = reinterpret_cast<Chain*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(chain->call_soon);
  Py_VISIT(chain->done);
  return 0;
}

int clear(PyObject* self) {
  auto* chain = reinterpret_cast<Chain*>(self);
  Py_CLEAR(chain->call_soon);
  Py_CLEAR(chain->done);
  return 0;
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Chain, vectorcall), READONLY, nullptr},
    {"remaining", T_PYSSIZET, offsetof(Chain, remaining), READONLY,
     "calls still to come; negative if the loop called it too often"},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Chain(call_soon, n, done)\n--\n\n"
                                  "Callback that passes itself to call_soon until it was called "
                                  "n times, then calls done().")},
    {Py_tp_new, reinterpret_cast<void*>(create)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_members, members},
    {0, nullptr},
};

PyType_Spec spec = {
    .name = "loopgauge._bench.Chain",
    .basicsize = sizeof(Chain),
    .itemsize = 0,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

} // namespace

PyObject* make_chain_type(PyObject* module) {
  return PyType_FromModuleAndSpec(module, &spec, nullptr);
}

} // namespace loopgauge::bench
