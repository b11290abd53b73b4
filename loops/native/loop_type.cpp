// The type LoopBase: life cycle, attributes, and the joined method tables.

#include <iterator>
#include <new>
#include <vector>

#include "loops/native/loop.hpp"
#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

PyObject* loop_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self)
    return nullptr;
  LoopBase* loop = as_loop(self);
  // A subclass's state is its base's: the type that has the module.
  loop->state = static_cast<ModuleState*>(
      PyModule_GetState(PyType_GetModuleByDef(type, module_definition())));
  new (&loop->host) Host(loop);
  new (&loop->core) Core(loop->host);
  new (&loop->watches) core::SlotTable<Watch>();
  new (&loop->signals) core::SignalPipe();
  new (&loop->fairness) GilFairness();
  new (&loop->transports) std::vector<Transport*>();
  new (&loop->to_flush) std::vector<Transport*>();
  new (&loop->reading) ReadBuffer();
  new (&loop->received) RecycledBytes();
  new (&loop->snapshots) RecycledBytes();
  new (&loop->peers) std::unique_ptr<PeerCache>();
  new (&loop->finished_mutex) std::mutex();
  new (&loop->finished) std::condition_variable();
  return self;
}

int loop_traverse(PyObject* self, visitproc visit, void* arg) {
  LoopBase* loop = as_loop(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(loop->thread_id);
  Py_VISIT(loop->task_factory);
  Py_VISIT(loop->py_ready);
  Py_VISIT(loop->py_scheduled);
  Py_VISIT(loop->transport_map);
  int stopped = 0;
  const auto visit_handle = [&](Handle* handle) {
    if (handle && stopped == 0)
      stopped = visit_held_handle(handle, visit, arg);
  };
  loop->core.ready.for_each(visit_handle);
  loop->core.timers.for_each(visit_handle);
  loop->watches.for_each([&](int, Watch& watch) {
    visit_handle(watch.reader);
    visit_handle(watch.writer);
  });
  for (Transport* transport : loop->to_flush)
    Py_VISIT(as_object(transport));
  return stopped;
}

int loop_clear(PyObject* self) {
  LoopBase* loop = as_loop(self);
  Py_CLEAR(loop->thread_id);
  Py_CLEAR(loop->task_factory);
  Py_CLEAR(loop->py_ready);
  Py_CLEAR(loop->py_scheduled);
  Py_CLEAR(loop->transport_map);
  release_queues(loop);
  release_watches(loop);
  std::vector<Transport*> to_flush;
  to_flush.swap(loop->to_flush);
  for (Transport* transport : to_flush)
    Py_DECREF(as_object(transport));
  return 0;
}

void loop_dealloc(PyObject* self) {
  LoopBase* loop = as_loop(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  loop_clear(self);
  loop->finished.~condition_variable();
  loop->finished_mutex.~mutex();
  loop->peers.~unique_ptr();
  loop->snapshots.~RecycledBytes();
  loop->received.~RecycledBytes();
  loop->reading.~ReadBuffer();
  loop->to_flush.~vector();
  loop->transports.~vector();
  loop->signals.~SignalPipe();
  loop->watches.~SlotTable();
  loop->core.~Core();
  type->tp_free(self);
  Py_DECREF(type);
}

// ---- attributes: one storage for each ----------------------------------------------------------

PyObject* get_flag(PyObject* self, void* flag) {
  return PyBool_FromLong((as_loop(self)->flags &
                          static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(flag))) != 0);
}

int set_flag(PyObject* self, PyObject* value, void* closure) {
  const auto flag = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(closure));
  const int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0)
    return -1;
  LoopBase* loop = as_loop(self);
  loop->flags = truth ? loop->flags | flag : loop->flags & ~flag;
  return 0;
}

// Debug mode is CPython's: its scheduler measures callbacks and names the slow ones.
int set_debug(PyObject* self, PyObject* value, void* closure) {
  if (set_flag(self, value, closure) < 0)
    return -1;
  return loop_debug(self) ? become_compatible(as_loop(self)) : 0;
}

PyObject* get_debug(PyObject* self, PyObject*) {
  return PyBool_FromLong(loop_debug(self));
}

PyObject* is_closed(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_loop(self)->flags & kClosed);
}

PyObject* get_stopping(PyObject* self, void*) {
  return PyBool_FromLong(as_loop(self)->core.stopping);
}

int set_stopping(PyObject* self, PyObject* value, void*) {
  const int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0)
    return -1;
  as_loop(self)->core.stopping = truth;
  return 0;
}

// Object attributes that are null for None.
PyObject* get_task_factory(PyObject* self, void*) {
  PyObject* factory = as_loop(self)->task_factory;
  return Py_NewRef(factory ? factory : Py_None);
}

int set_task_factory(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_loop(self)->task_factory, value == Py_None ? nullptr : Py_XNewRef(value));
  return 0;
}

PyObject* get_thread_id(PyObject* self, void*) {
  PyObject* thread = as_loop(self)->thread_id;
  return Py_NewRef(thread ? thread : Py_None);
}

int set_thread_id(PyObject* self, PyObject* value, void*) {
  Py_XSETREF(as_loop(self)->thread_id, value == Py_None ? nullptr : Py_XNewRef(value));
  return 0;
}

// `_transports`: made when somebody asks, because asyncio's own transports (a selector of one's
// own) register themselves there; the native ones are in a table of the loop.
PyObject* get_transports(PyObject* self, void*) {
  LoopBase* loop = as_loop(self);
  if (!loop->transport_map) {
    const Ref module(PyImport_ImportModule("loopgauge.loops.epoll.transports"));
    loop->transport_map =
        module ? PyObject_CallMethod(module.get(), "TransportMap", "O", self) : nullptr;
  }
  return Py_XNewRef(loop->transport_map);
}

// The assignment by BaseSelectorEventLoop.__init__.
int set_transports(PyObject*, PyObject*, void*) {
  return 0;
}

PyObject* is_running(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_loop(self)->thread_id != nullptr);
}

PyObject* use_foreign_selector(PyObject* self, PyObject*) {
  as_loop(self)->flags |= kForeignSelector;
  if (become_compatible(as_loop(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

// For a loop that CPython's constructor does not initialise: no assignment to `_ready` is its.
PyObject* use_own_queues(PyObject* self, PyObject*) {
  as_loop(self)->has_initial_ready = as_loop(self)->has_initial_scheduled = true;
  Py_RETURN_NONE;
}

PyObject* become_compatible_method(PyObject* self, PyObject*) {
  if (become_compatible(as_loop(self)) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

void* flag_closure(Flag flag) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(flag));
}

PyMethodDef attribute_methods[] = {
    {"get_debug", get_debug, METH_NOARGS, "get_debug($self, /)\n--\n\nTrue in debug mode."},
    {"is_closed", is_closed, METH_NOARGS,
     "is_closed($self, /)\n--\n\nTrue once close() was called."},
    {"is_running", is_running, METH_NOARGS,
     "is_running($self, /)\n--\n\nTrue while run_forever() runs."},
    {"_use_foreign_selector", use_foreign_selector, METH_NOARGS, nullptr},
    {"_use_own_queues", use_own_queues, METH_NOARGS, nullptr},
    {"_become_compatible", become_compatible_method, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef loop_getset[] = {
    {"_closed", get_flag, set_flag, nullptr, flag_closure(kClosed)},
    {"_debug", get_flag, set_debug, nullptr, flag_closure(kDebug)},
    {"_ready", get_ready, set_ready, nullptr, nullptr},
    {"_scheduled", get_scheduled_list, set_scheduled_list, nullptr, nullptr},
    {"_stopping", get_stopping, set_stopping, nullptr, nullptr},
    {"_task_factory", get_task_factory, set_task_factory, nullptr, nullptr},
    {"_transports", get_transports, set_transports, nullptr, nullptr},
    {"_thread_id", get_thread_id, set_thread_id, nullptr, nullptr},
    {},
};

// CPython keeps a pointer to the table for as long as the type lives.
PyMethodDef* joined_methods() {
  static std::vector<PyMethodDef> all = [] {
    std::vector<PyMethodDef> methods;
    for (PyMethodDef* table :
         {schedule_methods, task_methods, io_methods, signal_methods, accept_methods, sock_methods,
          literal_methods, run_methods, attribute_methods}) {
      for (; table->ml_name; ++table)
        methods.push_back(*table);
    }
    methods.push_back({});
    return methods;
  }();
  return all.data();
}

} // namespace

int add_loop_type(PyObject* module, ModuleState* state) {
  PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>(
           "The native half of loopgauge's event loop. Made to be the first base of EventLoop.")},
      {Py_tp_new, reinterpret_cast<void*>(loop_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(loop_dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(loop_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(loop_clear)},
      {Py_tp_setattro, reinterpret_cast<void*>(compatible_setattro)},
      {Py_tp_methods, joined_methods()},
      {Py_tp_getset, loop_getset},
      {},
  };
  // No tp_finalize: it would hide BaseEventLoop.__del__ and its ResourceWarning.
  PyType_Spec spec{"loopgauge._core.LoopBase", sizeof(LoopBase), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  state->loop_type =
      reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return state->loop_type ? PyModule_AddType(module, state->loop_type) : -1;
}

} // namespace loopgauge::py
