#include "loops/native/held_back.hpp"

#include <new>

#include "loops/core/clock.hpp"

namespace loopgauge::py {
namespace {

// What the callbacks after a small write do is not its business. One reading of the clock (20 ns)
// per callback while something waits.
constexpr std::int64_t kLongestHoldNs = 100'000;

} // namespace

bool runs_in_callback(const Transport* transport) {
  const LoopBase* loop = transport->loop;
  return loop->thread_id && !(loop->flags & kCompatible) &&
         loop->run_thread == PyThread_get_thread_ident();
}

bool flush_after_turn(Transport* transport) {
  if (transport->deferred)
    return true;
  LoopBase* loop = transport->loop;
  if (loop->to_flush.empty())
    loop->held_since_ns = core::now_ns();
  try {
    loop->to_flush.push_back(transport);
  } catch (const std::bad_alloc&) {
    return false;
  }
  Py_INCREF(as_object(transport));
  transport->deferred = true;
  return true;
}

bool flush_after_callback(Transport* transport) {
  if (!flush_after_turn(transport))
    return false;
  transport->loop->held_since_ns = 0;
  return true;
}

// Every transport has its turn, whatever happens to those before: what it holds back counts as
// written. The first exception is kept.
int flush_transports(LoopBase* loop) {
  if (std::exchange(loop->flushing, true)) // a pause_writing() that runs handles itself
    return 0;
  Ref raised;
  // A flush may call pause_writing(), which may write.
  for (std::size_t i = 0; i < loop->to_flush.size(); ++i) {
    Transport* transport = loop->to_flush[i];
    const Ref owned(as_object(transport));
    transport->deferred = false;
    if (transport->kind->flush(transport) < 0) {
      Ref later(take_exception());
      if (!raised)
        raised = std::move(later);
    }
  }
  loop->to_flush.clear();
  loop->flushing = false;
  if (!raised)
    return 0;
  restore_exception(raised.release());
  return -1;
}

int flush_in_time(LoopBase* loop) {
  return core::now_ns() - loop->held_since_ns < kLongestHoldNs ? 0 : flush_transports(loop);
}

ConnectionContext::ConnectionContext(Transport* transport) {
  LoopBase* loop = transport->loop;
  if (!loop || !loop->flushing)
    return;
  PyObject* own = transport->context;
  for (const Side side : {Side::reader, Side::writer}) {
    Handle* handle = own ? nullptr : handle_at(loop, transport->fd, side);
    own = handle ? handle->context : own;
  }
  entered_ = own ? PyContext_Copy(own) : nullptr;
  if (entered_ && PyContext_Enter(entered_) < 0)
    Py_CLEAR(entered_);
  PyErr_Clear();
}

ConnectionContext::~ConnectionContext() {
  if (!entered_)
    return;
  const KeepException pending;
  if (PyContext_Exit(entered_) < 0)
    PyErr_Clear();
  Py_DECREF(entered_);
}

} // namespace loopgauge::py
