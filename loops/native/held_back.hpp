// Small writes that wait for the end of a turn.
//
// A send wakes the peer, which may sleep: answering a turn's requests together costs 10 % less of a
// streams echo than answering each as its callback returns. The transports keep the bytes; the loop
// has a list of those that have any.
#pragma once

#include "loops/native/transport.hpp"

namespace loopgauge::py {

/// True while a callback of the transport's loop runs, in the thread that runs it: a small write
/// can wait for the end of the turn.
bool runs_in_callback(const Transport* transport);
/// To be flushed at the end of the turn, or when a callback returns 100 us later. False: no memory,
/// send at once.
bool flush_after_turn(Transport* transport);
/// The same when the callback that runs returns.
bool flush_after_callback(Transport* transport);
/// Sends what transports hold back if it is time, to be called when a callback has returned and
/// something is held back. -1: an exception leaves the loop.
int flush_in_time(LoopBase* loop);
/// Sends what transports hold back. -1: an exception leaves the loop.
int flush_transports(LoopBase* loop);

/// Between two callbacks, where a flush calls pause_writing() or reports an error, there is no
/// context of the connection: for its lifetime this enters a copy of the one its reads run in.
class ConnectionContext {
 public:
  explicit ConnectionContext(Transport* transport);
  ConnectionContext(const ConnectionContext&) = delete;
  ConnectionContext& operator=(const ConnectionContext&) = delete;
  ~ConnectionContext();

 private:
  PyObject* entered_ = nullptr; // strong; null: the caller has one
};

} // namespace loopgauge::py
