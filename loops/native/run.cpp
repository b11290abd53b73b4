// Running: the core's turns, with the interpreter in mind.

#include <algorithm>
#include <new>

#include "loops/core/clock.hpp"
#include "loops/native/exceptions.hpp"
#include "loops/native/held_back.hpp"
#include "loops/native/loop.hpp"

namespace loopgauge::py {
namespace {

// sys.getswitchinterval() in nanoseconds. Asked once per process: it is a setting, not a clock.
std::int64_t switch_interval_ns() {
  static const std::int64_t interval = [] {
    const Ref function = Ref::borrow(PySys_GetObject("getswitchinterval"));
    const Ref seconds(function ? PyObject_CallNoArgs(function.get()) : nullptr);
    const double value = seconds ? PyFloat_AsDouble(seconds.get()) : 0.005;
    PyErr_Clear();
    return core::seconds_to_ns(value);
  }();
  return interval;
}

// One turn. 1: go on, 0: the compatible scheduler must take over, -1: an exception leaves the loop.
int one_turn(LoopBase* loop) {
  ++loop->turn;
  Core::Turn turn;
  try {
    turn = loop->core.turn();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
  }
  if (turn == Core::Turn::left) {
    if (PyErr_Occurred())
      return -1;
    if (const int error = loop->core.error())
      return raise_os_error(error);
  }
  if (loop->flags & kCompatible)
    return run_unfinished(loop) < 0 ? -1 : 0;
  return 1;
}

// Runs turns until stop(). 1: stopped, 0: the compatible scheduler must take over, -1: an
// exception.
int run_turns(LoopBase* loop) {
  loop->run_thread = PyThread_get_thread_ident();
  loop->core.policy.begin_run();
  int state;
  do {
    state = one_turn(loop);
  } while (state == 1 && !loop->core.stopping);
  return state == 0 && loop->core.stopping ? 1 : state;
}

// What an exception that leaves the loop has kept from being sent, which wins over one of the
// flush. `state` is that of run_turns().
int flush_last(LoopBase* loop, int state) {
  if (loop->to_flush.empty())
    return state;
  const KeepException first;
  const bool flushed = flush_transports(loop) == 0;
  if (first.kept)
    PyErr_Clear();
  return flushed ? state : -1;
}

int refuse_to_run(LoopBase* loop) {
  if (check_closed(as_object(loop)) < 0)
    return -1;
  if (loop->thread_id) {
    PyErr_SetString(PyExc_RuntimeError, "This event loop is already running");
    return -1;
  }
  const Ref running(PyObject_CallNoArgs(loop->state->get_running_loop));
  if (!running)
    return -1;
  if (running.get() == Py_None)
    return 0;
  PyErr_SetString(PyExc_RuntimeError, "Cannot run the event loop while another loop is running");
  return -1;
}

int set_running_loop(LoopBase* loop, PyObject* running) {
  const Ref done(PyObject_CallOneArg(loop->state->set_running_loop, running));
  return done ? 0 : -1;
}

// What BaseEventLoop sets up for the time of a run. The asynchronous generator hooks are exchanged
// in the thread state directly: sys.get_asyncgen_hooks() and two set_asyncgen_hooks() are a fifth
// of what a run_until_complete() costs.
struct RunScope {
  LoopBase* loop;
  PyThreadState* thread = PyThreadState_Get();
  PyObject* firstiter = nullptr; // the thread's own, while ours are installed
  PyObject* finalizer = nullptr;

  int enter() {
    Ref first(PyObject_GetAttrString(as_object(loop), "_asyncgen_firstiter_hook"));
    Ref final(PyObject_GetAttrString(as_object(loop), "_asyncgen_finalizer_hook"));
    if (!first || !final || set_running_loop(loop, as_object(loop)) < 0)
      return -1;
    loop->thread_id = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    if (!loop->thread_id)
      return set_running_loop(loop, Py_None), -1;
    firstiter = std::exchange(thread->async_gen_firstiter, first.release());
    finalizer = std::exchange(thread->async_gen_finalizer, final.release());
    return 0;
  }

  // Keeps an exception that is set. -1 if the running loop cannot be reset.
  int leave() {
    const KeepException raised;
    loop->core.stopping = false;
    Py_CLEAR(loop->thread_id);
    Py_XSETREF(thread->async_gen_firstiter, firstiter);
    Py_XSETREF(thread->async_gen_finalizer, finalizer);
    return set_running_loop(loop, Py_None);
  }
};

// run_forever(): CPython's, with its set-up and clean-up in C, because run_until_complete() is one
// too.
PyObject* run_forever(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  if (refuse_to_run(loop) < 0)
    return nullptr;
  if ((!is_fast(self) || clock_is_patched(loop->state)) && refresh_overrides(loop) < 0)
    return nullptr;
  if (!(loop->flags & kCompatible)) {
    RunScope scope{loop};
    if (scope.enter() < 0)
      return nullptr;
    const int state = flush_last(loop, run_turns(loop));
    const bool stopping = loop->core.stopping;
    if (scope.leave() < 0 || state < 0)
      return nullptr;
    if (state == 1)
      Py_RETURN_NONE;
    loop->core.stopping = stopping;
  }
  return PyObject_CallMethodNoArgs(self, loop->state->names.run_forever_compatible);
}

// _run_once(): a single turn, for those who drive the loop themselves.
PyObject* run_once(PyObject* self, PyObject*) {
  LoopBase* loop = as_loop(self);
  if (refresh_overrides(loop) < 0)
    return nullptr;
  if (loop->flags & kCompatible)
    return call_stock(loop, loop->state->names.run_once, nullptr, 0, nullptr);
  loop->core.policy.begin_run();
  loop->run_thread = PyThread_get_thread_ident();
  if (flush_last(loop, one_turn(loop)) < 0)
    return nullptr;
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
  for (PyObject* queue : {loop->py_ready, loop->py_scheduled}) {
    const Ref cleared(queue ? PyObject_CallMethod(queue, "clear", nullptr) : Py_NewRef(Py_None));
    if (!cleared)
      return nullptr;
  }
  loop->signals.close();
  loop->core.close();
  Py_RETURN_NONE;
}

PyObject* set_poll_every_turn(PyObject* self, PyObject* value) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0)
    return nullptr;
  as_loop(self)->core.policy.every_turn = truth;
  Py_RETURN_NONE;
}

PyObject* set_poll_by_turns(PyObject* self, PyObject* value) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0)
    return nullptr;
  as_loop(self)->core.policy.by_turns = truth;
  Py_RETURN_NONE;
}

} // namespace

int raise_os_error(int error) {
  errno = error;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

void release_queues(LoopBase* loop) {
  const auto drop = [state = loop->state](Handle* handle) { drop_handle(state, handle); };
  loop->core.ready.clear(drop);
  loop->core.timers.clear(drop);
}

bool Host::run(Handle* handle) {
  bool stay = is_cancelled(handle) || run_handle(handle);
  if (!loop_->to_flush.empty() && stay)
    stay = flush_in_time(loop_) == 0;
  drop_handle(loop_->state, handle);
  if (loop_->fairness.due()) [[unlikely]] {
    {
      const KeepException leaving; // the loop, if one does
      loop_->fairness.yield_if_held_long();
    }
    if (stay && PyErr_CheckSignals() < 0)
      return false;
  }
  return stay;
}

void Host::timer_due(Handle* handle) {
  loop_->core.ready.push_back(handle);
}

bool Host::between_turns() {
  if (!loop_->to_flush.empty() && flush_transports(loop_) < 0)
    return false;
  if (PyErr_CheckSignals() < 0)
    return false;
  if (!loop_->to_flush.empty() && flush_transports(loop_) < 0) // a signal handler may write, too
    return false;
  const bool patched_clock = !loop_->core.timers.empty() && clock_is_patched(loop_->state);
  if (is_fast(as_object(loop_)) && !patched_clock) [[likely]]
    return true;
  if (refresh_overrides(loop_) < 0)
    return false;
  return !(loop_->flags & kCompatible);
}

void Host::before_block() {
  thread_ = PyEval_SaveThread();
}

void Host::after_block() {
  PyEval_RestoreThread(thread_);
  loop_->fairness.released();
}

void GilFairness::yield_if_held_long() {
  const std::int64_t now = core::now_ns();
  const std::int64_t interval = switch_interval_ns();
  if (held_since_ns_ == 0)
    held_since_ns_ = now;
  if (now - held_since_ns_ >= interval) {
    PyEval_RestoreThread(PyEval_SaveThread());
    held_since_ns_ = core::now_ns();
  }
  // Look again after about a quarter of the interval, by the pace of the callbacks since the last
  // look.
  const std::int64_t elapsed = std::max<std::int64_t>(now - last_look_ns_, 1);
  const std::int64_t wanted = static_cast<std::int64_t>(gap_) * (interval / 4) / elapsed;
  gap_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(wanted, 1, kLongestGap));
  countdown_ = gap_;
  last_look_ns_ = now;
}

PyMethodDef run_methods[] = {
    {"run_forever", run_forever, METH_NOARGS,
     "run_forever($self, /)\n--\n\nRuns until stop() is called."},
    {"stop", stop, METH_NOARGS,
     "stop($self, /)\n--\n\nEnds run_forever() after the turn in progress."},
    {"_run_once", run_once, METH_NOARGS, nullptr},
    {"_close_native", close_native, METH_NOARGS, nullptr},
    {"_set_poll_every_turn", set_poll_every_turn, METH_O, nullptr},
    {"_set_poll_by_turns", set_poll_by_turns, METH_O, nullptr},
    {},
};

} // namespace loopgauge::py
