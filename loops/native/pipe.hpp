// Pipe transports: one end of a FIFO, a socket or a character device.
//
// The behaviour is that of CPython's _UnixReadPipeTransport and _UnixWritePipeTransport
// (unix_events.py). Unlike sockets, pipes are not in the loop's table of transports: CPython lets
// two of them share a terminal, and its users call remove_reader() on one.
#pragma once

#include <Python.h>

#include "loops/native/transport.hpp"
#include "loops/native/write_queue.hpp"

namespace loopgauge::py {

struct PipeTransport : Transport {
  int number; // of the descriptor: repr() tells it even when the pipe is closed
  bool over;  // connection_lost() is scheduled, or was called
};

struct ReadPipe : PipeTransport {
  bool feeds_reader; // asyncio's own StreamReaderProtocol: fed without a call (stream_reader.cpp)
  bool direct;       // the last read was large: the next goes straight into a bytes object
};

struct WritePipe : PipeTransport {
  WriteQueue queue;
  bool watches_reader; // told by the kernel when the reading end is closed
};

inline PipeTransport* as_pipe(Transport* transport) {
  return static_cast<PipeTransport*>(transport);
}
inline ReadPipe* as_read_pipe(Transport* transport) {
  return static_cast<ReadPipe*>(transport);
}
inline WritePipe* as_write_pipe(Transport* transport) {
  return static_cast<WritePipe*>(transport);
}

/// CPython's _close(): forgets what was not sent and schedules connection_lost(exception or None).
/// -1 with an exception.
int end_pipe(PipeTransport* pipe, PyObject* exception);
/// Reports the exception that is set and ends the pipe with it. -1 with an exception that must
/// leave the loop.
int fail_pipe(PipeTransport* pipe, const char* message);
/// Calls connection_lost() now and closes the pipe. -1 with the protocol's exception.
int lose_pipe(PipeTransport* pipe, PyObject* exception);

/// Reads once and hands over what came. -1 with the protocol's exception.
int read_pipe_ready(ReadPipe* pipe);

int write_to_pipe(WritePipe* pipe, PyObject* data);
/// Sends what is queued, and finishes a closing pipe when that was all.
int write_pipe_ready(WritePipe* pipe);
/// close() and write_eof(): connection_lost() follows when everything is sent.
int close_write_pipe(WritePipe* pipe);
/// The reading end was closed.
int reader_is_gone(WritePipe* pipe);

int add_pipe_transport_types(PyObject* module, ModuleState* state);

} // namespace loopgauge::py
