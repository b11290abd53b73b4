// LoopBase: the native half of the built-in loop.
//
// `class EventLoop(LoopBase, asyncio.SelectorEventLoop)` puts this type first in the MRO, so that
// every hot method is found here and everything else is CPython's own code of the running version.
//
// Two schedulers. Normally handles live in the core's ready queue and timer heap, and run_turns()
// drives them. As soon as somebody needs CPython's own scheduler (debug mode, a subclass or a patch
// that overrides one of its methods, a patched clock, a look at `_ready` or `_scheduled`), the loop
// moves its handles into a real deque and a real list and runs BaseEventLoop._run_once from then
// on: slower, and exactly what the other code expects. There is no way back (compatible.cpp).
#pragma once

#include <Python.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "loops/core/loop.hpp"
#include "loops/core/signal_pipe.hpp"
#include "loops/core/slot_table.hpp"
#include "loops/native/handle.hpp"
#include "loops/native/peer_cache.hpp"
#include "loops/native/pyref.hpp"
#include "loops/native/read_buffer.hpp"
#include "loops/native/state.hpp"
#include "loops/native/watch.hpp"

namespace loopgauge::py {

struct LoopBase;
struct Transport;

/// What the core's loop asks of the binding. All calls are made with the GIL held, but for the wait
/// between before_block() and after_block().
class Host {
 public:
  using Item = Handle*; // one strong reference
  struct TimerTraits {
    static void set_index(Handle* handle, std::size_t index) { handle->heap_index = index; }
  };

  explicit Host(LoopBase* loop) : loop_(loop) {}
  void io(std::uint64_t key, std::uint32_t events);
  bool run(Handle* handle);
  void timer_due(Handle* handle);
  bool between_turns();
  void before_block();
  void after_block();

 private:
  LoopBase* loop_;
  PyThreadState* thread_ = nullptr;
};

using Core = core::Loop<Host>;

/// Gives other threads their turn: a chain of C callbacks never reaches the interpreter's own
/// check.
class GilFairness {
 public:
  /// Called once per callback: true when it is time to look at the clock.
  bool due() { return --countdown_ == 0; }
  /// Releases the GIL if it was held for sys.getswitchinterval(), and plans the next look.
  void yield_if_held_long();
  void released() { held_since_ns_ = 0; }

 private:
  static constexpr std::uint32_t kFirstLook = 64, kLongestGap = 1024;
  std::uint32_t countdown_ = kFirstLook;
  std::uint32_t gap_ = kFirstLook;
  std::int64_t last_look_ns_ = 0;
  std::int64_t held_since_ns_ = 0; // 0: since the next look
};

enum Flag : std::uint32_t {
  kClosed = 1,
  kDebug = 2,
  kCompatible = 4,      // CPython's scheduler has taken over
  kRecheck = 8,         // an attribute was set that may override a method
  kForeignSelector = 16 // the user's own selector: its methods are CPython's
};

struct LoopBase {
  PyObject_HEAD ModuleState* state; // kept alive by the type
  std::uint32_t flags;              // of Flag; 0 on the fast path
  unsigned int type_tag;  // tp_version_tag of the type when its overrides were last looked at
  PyObject* thread_id;    // `_thread_id`; null: None, the loop is not running
  PyObject* task_factory; // `_task_factory`; null: None
  PyObject* py_ready;     // `_ready` and `_scheduled`, once kCompatible
  PyObject* py_scheduled;
  PyObject* transport_map; // `_transports`; null: nobody has asked
  std::size_t unfinished;  // handles of the turn in which kCompatible was set, still to run
  std::size_t cancel_waiters;
  bool has_initial_ready; // BaseEventLoop.__init__ has assigned its queues, which are not used
  bool has_initial_scheduled;
  // C++ members, constructed in place by loop_new().
  Host host;
  Core core;
  core::SlotTable<Watch> watches;
  core::SignalPipe signals;
  GilFairness fairness;
  std::vector<Transport*> transports; // by descriptor, borrowed: those that are not closing
  std::uint32_t turn;                 // counts turns, and goes round
  std::vector<Transport*> to_flush;   // strong: what they hold back is sent after this turn
  bool flushing;                      // `to_flush` is being gone through
  std::int64_t held_since_ns;         // when the first of them began to hold something back
  ReadBuffer reading;
  RecycledBytes received, snapshots; // what protocols get, and copies of what they write
  std::unique_ptr<PeerCache> peers;  // of datagrams, made by the first one
  unsigned long run_thread; // PyThread_get_thread_ident() of the thread that runs callbacks
  std::mutex finished_mutex;
  std::condition_variable finished;
};

inline LoopBase* as_loop(PyObject* object) {
  return reinterpret_cast<LoopBase*>(object);
}
inline PyObject* as_object(LoopBase* loop) {
  return reinterpret_cast<PyObject*>(loop);
}

/// False when anything but the plain fast path applies: closed, debug, CPython's scheduler, or
/// methods of the type that may have changed since they were looked at (one load and compare).
inline bool is_fast(PyObject* self) {
  const LoopBase* loop = as_loop(self);
  return loop->flags == 0 && Py_TYPE(self)->tp_version_tag == loop->type_tag && loop->type_tag != 0;
}

inline bool loop_debug(PyObject* self) {
  return as_loop(self)->flags & kDebug;
}

/// True when time.monotonic is not what it was at import (freezegun and the like).
inline bool clock_is_patched(const ModuleState* state) {
  PyObject* current =
      PyDict_GetItemWithError(PyModule_GetDict(state->time_module), state->names.monotonic);
  return current != state->monotonic;
}

/// Raises RuntimeError as BaseEventLoop._check_closed does. -1 if closed.
int check_closed(PyObject* self);

// handle.cpp asks these of the loop a handle belongs to.
int loop_timer_cancelled(Handle* handle);
void loop_wait_for_callback(Handle* handle);
void loop_callback_finished(Handle* handle);

// compatible.cpp
/// Looks for overrides and a patched clock, and switches if there are any. -1 with an exception.
int refresh_overrides(LoopBase* loop);
/// Moves every handle into `_ready` and `_scheduled`; idempotent. -1 with an exception.
int become_compatible(LoopBase* loop);
/// Runs what was left of the turn in which the loop became compatible. -1 with an exception.
int run_unfinished(LoopBase* loop);
/// True when `_call_soon` is not this module's.
bool inner_is_overridden(LoopBase* loop);
/// CPython's methods as they are at import, by name: a later difference is somebody's patch.
PyObject* record_stock_methods(PyObject* stock);
int compatible_setattro(PyObject* self, PyObject* name, PyObject* value);
/// Calls CPython's own method `name` of SelectorEventLoop. New reference.
PyObject* call_stock(LoopBase* loop, PyObject* name, PyObject* const* args, Py_ssize_t nargs,
                     PyObject* kwnames);
PyObject* get_ready(PyObject* self, void*);
PyObject* get_scheduled_list(PyObject* self, void*);
int set_ready(PyObject* self, PyObject* value, void*);
int set_scheduled_list(PyObject* self, PyObject* value, void*);

// One method table a file; loop_type.cpp joins them.
extern PyMethodDef schedule_methods[];
extern PyMethodDef task_methods[];
extern PyMethodDef io_methods[];
extern PyMethodDef run_methods[];
extern PyMethodDef signal_methods[];
extern PyMethodDef sock_methods[];
extern PyMethodDef literal_methods[];

/// In debug mode: notes where the handle was made. -1 with an exception.
int note_source(LoopBase* loop, Handle* handle);
/// Raises RuntimeError when a transport of this loop uses the descriptor. -1 then.
int refuse_transport_of(LoopBase* loop, int fd);
/// A Future of the class that asyncio has now. New reference.
PyObject* create_future(LoopBase* loop);
/// Drops every descriptor's handles, without touching epoll (io.cpp).
void release_watches(LoopBase* loop);

/// Sets OSError for an errno. Returns -1.
int raise_os_error(int error);

/// Drops every queued handle and timer.
void release_queues(LoopBase* loop);
/// The descriptor number of an int or an object with fileno(), or -1 with ValueError.
int as_descriptor(PyObject* fd);
int add_loop_type(PyObject* module, ModuleState* state);

/// True if `context=` is the only keyword of a METH_FASTCALL|METH_KEYWORDS call, or there is none;
/// then `context` is borrowed, and null for None or absent. Never sets an exception.
bool only_context(ModuleState* state, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                  PyObject** context);

/// A METH_FASTCALL function as the type that PyMethodDef holds.
template <class Function>
PyCFunction as_method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

} // namespace loopgauge::py
