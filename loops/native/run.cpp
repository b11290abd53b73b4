// Running: the core's turns, with the interpreter in mind.

#include <algorithm>

#include "loops/core/clock.hpp"
#include "loops/native/loop.hpp"

namespace loopgauge::py {
namespace {

// sys.getswitchinterval() in nanoseconds. Asked once per process: it is a setting, not a clock.
std::int64_t switch_interval_ns() {
  static const std::int64_t interval = [] {
    const Ref seconds(PyObject_CallNoArgs(Ref(PySys_GetObject("getswitchinterval")
                                                  ? Py_NewRef(PySys_GetObject("getswitchinterval"))
                                                  : nullptr)
                                              .get()));
    const double value = seconds ? PyFloat_AsDouble(seconds.get()) : 0.005;
    PyErr_Clear();
    return core::seconds_to_ns(value);
  }();
  return interval;
}

PyObject* raise_wait_error(int error) {
  errno = error;
  return PyErr_SetFromErrno(PyExc_OSError);
}

// One turn. 1: go on, 0: the compatible scheduler must take over, -1: an exception leaves the loop.
int one_turn(LoopBase* loop) {
  const Core::Turn turn = loop->core.turn();
  if (turn == Core::Turn::left) {
    if (PyErr_Occurred()) return -1;
    if (const int error = loop->core.error()) return raise_wait_error(error), -1;
  }
  if (loop->flags & kCompatible) return run_unfinished(loop) < 0 ? -1 : 0;
  return 1;
}

// _run_turns() -> bool. True: stop() was called. False: the caller goes on with `_run_once`.
PyObject* run_turns(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  if (refresh_overrides(loop) < 0) return nullptr;
  if (loop->flags & kCompatible) Py_RETURN_FALSE;
  loop->core.policy.begin_run();
  int state;
  do {
    state = one_turn(loop);
  } while (state == 1 && !loop->core.stopping);
  if (state < 0) return nullptr;
  return PyBool_FromLong(loop->core.stopping);
}

// _run_once(): a single turn, for those who drive the loop themselves.
PyObject* run_once(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  if (refresh_overrides(loop) < 0) return nullptr;
  if (loop->flags & kCompatible) return call_stock(loop, loop->state->names.run_once, nullptr, 0, nullptr);
  loop->core.policy.begin_run();
  if (one_turn(loop) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* stop(PyObject* self, PyObject*) {
  as_loop(self)->core.stopping = true;
  Py_RETURN_NONE;
}

// _close_native(): drops what is queued and watched, and closes the descriptors.
PyObject* close_native(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  release_watches(loop);
  release_queues(loop);
  loop->signals.close();
  loop->core.close();
  Py_RETURN_NONE;
}

PyObject* set_poll_every_turn(PyObject* self, PyObject* value) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return nullptr;
  as_loop(self)->core.policy.every_turn = truth;
  Py_RETURN_NONE;
}

}  // namespace

void release_queues(LoopBase* loop) {
  loop->core.ready.clear([](Handle* handle) { Py_DECREF(as_object(handle)); });
  loop->core.timers.clear([](Handle* handle) { Py_DECREF(as_object(handle)); });
}

bool Host::run(Handle* handle) {
  const bool stay = is_cancelled(handle) || run_handle(handle);
  Py_DECREF(as_object(handle));
  if (loop_->fairness.due()) [[unlikely]] {
    loop_->fairness.yield_if_held_long();
    if (stay && PyErr_CheckSignals() < 0) return false;
  }
  return stay;
}

void Host::timer_due(Handle* handle) { loop_->core.ready.push_back(handle); }

bool Host::between_turns() {
  if (PyErr_CheckSignals() < 0) return false;
  const bool patched_clock = !loop_->core.timers.empty() && clock_is_patched(loop_->state);
  if (is_fast(as_object(loop_)) && !patched_clock) [[likely]] return true;
  if (refresh_overrides(loop_) < 0) return false;
  return !(loop_->flags & kCompatible);
}

void Host::before_block() { thread_ = PyEval_SaveThread(); }

void Host::after_block() {
  PyEval_RestoreThread(thread_);
  loop_->fairness.released();
}

void GilFairness::yield_if_held_long() {
  const std::int64_t now = core::now_ns();
  const std::int64_t interval = switch_interval_ns();
  if (held_since_ns_ == 0) held_since_ns_ = now;
  if (now - held_since_ns_ >= interval) {
    PyEval_RestoreThread(PyEval_SaveThread());
    held_since_ns_ = core::now_ns();
  }
  // Look again after about a quarter of the interval, by the pace of the callbacks since the last look.
  const std::int64_t elapsed = std::max<std::int64_t>(now - last_look_ns_, 1);
  const std::int64_t wanted = static_cast<std::int64_t>(gap_) * (interval / 4) / elapsed;
  gap_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(wanted, 1, kLongestGap));
  countdown_ = gap_;
  last_look_ns_ = now;
}

PyMethodDef run_methods[] = {
    {"stop", stop, METH_NOARGS, "stop($self, /)\n--\n\nEnds run_forever() after the turn in progress."},
    {"_run_once", run_once, METH_NOARGS, nullptr},
    {"_run_turns", run_turns, METH_NOARGS, nullptr},
    {"_close_native", close_native, METH_NOARGS, nullptr},
    {"_set_poll_every_turn", set_poll_every_turn, METH_O, nullptr},
    {},
};

}  // namespace loopgauge::py
