// ReadPipeTransport and WritePipeTransport: construction, information and the types.

#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>

#include "loops/native/pipe.hpp"
#include "loops/native/stream.hpp"

namespace loopgauge::py {
namespace {

// ---- what kinds of transports are asked --------------------------------------------------------

std::size_t nothing(const Transport*) {
  return 0;
}
void no_buffer(Transport*) {}
int succeed(Transport*) {
  return 0;
}
PyObject* no_info(Transport*, PyObject*) {
  return nullptr; // what a pipe knows is in `extra`
}
int visit_nothing(Transport*, visitproc, void*) {
  return 0;
}

std::size_t queued(const Transport* transport) {
  return static_cast<const WritePipe*>(transport)->queue.bytes();
}
void drop_queue(Transport* transport) {
  as_write_pipe(transport)->queue.clear();
}
void destroy_queue(Transport* transport) {
  as_write_pipe(transport)->queue.~WriteQueue();
}

// "polling" or "idle", "open" when the loop is closed, "closed" without a loop.
const char* state_of_side(const PipeTransport* pipe, Side side) {
  if (!pipe->sock)
    return "closed";
  if (!pipe->loop || (pipe->loop->flags & kClosed))
    return "open";
  Watch* watch = pipe->loop->watches.at(pipe->number);
  const bool paused = side == Side::reader && pipe->paused;
  return watch && watch->listens(side) && !paused ? "polling" : "idle";
}

PyObject* start_of_repr(const PipeTransport* pipe, Side side) {
  const char* name = std::strrchr(Py_TYPE(pipe)->tp_name, '.');
  const char* end = !pipe->sock ? " closed" : pipe->closing ? " closing" : "";
  return PyUnicode_FromFormat("<%s%s fd=%d %s", name ? name + 1 : Py_TYPE(pipe)->tp_name, end,
                              pipe->number, state_of_side(pipe, side));
}

PyObject* repr_of_read_pipe(Transport* transport) {
  const Ref start(start_of_repr(as_pipe(transport), Side::reader));
  return start ? PyUnicode_FromFormat("%U>", start.get()) : nullptr;
}

PyObject* repr_of_write_pipe(Transport* transport) {
  const Ref start(start_of_repr(as_pipe(transport), Side::writer));
  if (!start)
    return nullptr;
  const bool is_open = transport->sock && transport->loop && !(transport->loop->flags & kClosed);
  return is_open ? PyUnicode_FromFormat("%U bufsize=%zu>", start.get(), queued(transport))
                 : PyUnicode_FromFormat("%U>", start.get());
}

int choose_feeding(Transport* transport) {
  ReadPipe* pipe = as_read_pipe(transport);
  pipe->feeds_reader = can_feed_stream_reader(pipe);
  pipe->direct = false;
  return 0;
}

constexpr TransportKind kReadKind{nothing,   nothing,   no_buffer,        choose_feeding,
                                  succeed,   succeed,   no_info,          visit_nothing,
                                  no_buffer, no_buffer, repr_of_read_pipe};
constexpr TransportKind kWriteKind{queued,    queued,        drop_queue,        nullptr,
                                   succeed,   succeed,       no_info,           visit_nothing,
                                   no_buffer, destroy_queue, repr_of_write_pipe};

// ---- construction ------------------------------------------------------------------------------

PyObject* create_read_pipe(PyTypeObject* type, PyObject*, PyObject*) {
  return as_object(new_transport(type, &kReadKind));
}

PyObject* create_write_pipe(PyTypeObject* type, PyObject*, PyObject*) {
  Transport* transport = new_transport(type, &kWriteKind);
  if (transport)
    new (&as_write_pipe(transport)->queue) WriteQueue();
  return as_object(transport);
}

struct Arguments {
  PyObject *loop, *pipe, *protocol, *waiter = Py_None, *extra = Py_None;
};

int parse(PyObject* self, PyObject* args, PyObject* kwargs, Arguments* into) {
  static const char* const names[] = {"loop", "pipe", "protocol", "waiter", "extra", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OO|OO", const_cast<char**>(names),
                                   state_of(Py_TYPE(self))->loop_type, &into->loop, &into->pipe,
                                   &into->protocol, &into->waiter, &into->extra))
    return -1;
  return refuse_second_init(as_transport(self));
}

int keep_extra(Transport* transport, const Arguments& given) {
  transport->extra = given.extra == Py_None ? PyDict_New() : Py_NewRef(given.extra);
  const Ref name(PyUnicode_InternFromString("pipe"));
  if (!transport->extra || !name)
    return -1;
  return PyObject_SetItem(transport->extra, name.get(), given.pipe);
}

// The file's mode, or -1 with ValueError for what is neither a pipe nor a socket nor a terminal.
long check_file(int fd, const char* refusal) {
  struct stat status;
  if (::fstat(fd, &status) < 0)
    return raise_os_error(errno);
  const mode_t kind = status.st_mode & S_IFMT;
  if (kind == S_IFIFO || kind == S_IFSOCK || kind == S_IFCHR)
    return static_cast<long>(kind);
  PyErr_SetString(PyExc_ValueError, refusal);
  return -1;
}

int set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (!(flags & O_NONBLOCK) && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
    return raise_os_error(errno);
  return 0;
}

// Nothing is the transport's until its file is known to be of a kind that it can use.
int take_pipe(PipeTransport* pipe, const Arguments& given, const char* refusal, long* kind) {
  const Ref number(PyObject_CallMethod(given.pipe, "fileno", nullptr));
  const int fd = number ? as_descriptor(number.get()) : -1;
  if (fd < 0)
    return -1;
  if (keep_extra(pipe, given) < 0 || (*kind = check_file(fd, refusal)) < 0 ||
      set_nonblocking(fd) < 0)
    return -1;
  pipe->fd = pipe->number = fd;
  pipe->sock = Py_NewRef(given.pipe);
  pipe->protocol = Py_NewRef(given.protocol);
  pipe->loop = as_loop(Py_NewRef(given.loop));
  pipe->closing = false;
  pipe->conn_lost = 0;
  pipe->high_water = 64 * 1024; // _FlowControlMixin._set_write_buffer_limits
  pipe->low_water = 16 * 1024;
  return 0;
}

// call_soon() of connection_made(), of watching, and of the waiter, in this order.
int schedule_start(PipeTransport* pipe, const Arguments& given, bool watches) {
  const Ref made(PyObject_GetAttr(pipe->protocol, pipe->loop->state->names.connection_made));
  if (!made || call_soon(pipe, made.get(), as_object(pipe)) < 0)
    return -1;
  if (watches && call_own_soon(pipe, "_start_reading", nullptr) < 0)
    return -1;
  if (given.waiter == Py_None)
    return 0;
  const Ref futures(PyImport_ImportModule("asyncio.futures"));
  const Ref wake(futures ? PyObject_GetAttrString(futures.get(), "_set_result_unless_cancelled")
                         : nullptr);
  PyObject* arguments[] = {as_object(pipe->loop), wake.get(), given.waiter, Py_None};
  const Ref handle(
      wake ? PyObject_VectorcallMethod(pipe->loop->state->names.call_soon, arguments, 4, nullptr)
           : nullptr);
  return handle ? 0 : -1;
}

// ReadPipeTransport(loop, pipe, protocol, waiter=None, extra=None)
int init_read_pipe(PyObject* self, PyObject* args, PyObject* kwargs) {
  ReadPipe* pipe = as_read_pipe(as_transport(self));
  Arguments given{};
  long kind;
  if (parse(self, args, kwargs, &given) < 0 ||
      take_pipe(pipe, given, "Pipe transport is for pipes/sockets only.", &kind) < 0)
    return -1;
  choose_feeding(pipe);
  return schedule_start(pipe, given, true);
}

// WritePipeTransport(loop, pipe, protocol, waiter=None, extra=None)
int init_write_pipe(PyObject* self, PyObject* args, PyObject* kwargs) {
  WritePipe* pipe = as_write_pipe(as_transport(self));
  Arguments given{};
  long kind;
  if (parse(self, args, kwargs, &given) < 0 ||
      take_pipe(pipe, given, "Pipe transport is only for pipes, sockets and character devices",
                &kind) < 0)
    return -1;
  pipe->watches_reader = kind != S_IFCHR;
  return schedule_start(pipe, given, pipe->watches_reader);
}

// ---- methods of both ---------------------------------------------------------------------------

// In place of a watch that somebody left behind when the number was another file's.
PyObject* start_reading(PyObject* self, PyObject*) {
  Transport* transport = as_transport(self);
  if (!transport->loop || !is_reading(transport))
    Py_RETURN_NONE;
  if (clear_handle(transport->loop, transport->fd, Side::reader) < 0)
    return nullptr;
  return none_or_error(listen_to(transport, Side::reader, "_read_ready"));
}

PyObject* call_connection_lost(PyObject* self, PyObject* exception) {
  return none_or_error(lose_pipe(as_pipe(as_transport(self)), exception));
}

// _fatal_error(exc, message='Fatal error on pipe transport')
PyObject* fatal_error_method(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"exc", "message", nullptr};
  PyObject* exception;
  const char* message = "Fatal error on pipe transport";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s:_fatal_error", const_cast<char**>(names),
                                   &exception, &message))
    return nullptr;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
  return none_or_error(fail_pipe(as_pipe(as_transport(self)), message));
}

PyObject* close_with(PyObject* self, PyObject* args) {
  PyObject* exception = Py_None;
  if (!PyArg_ParseTuple(args, "|O:_close", &exception))
    return nullptr;
  return none_or_error(end_pipe(as_pipe(as_transport(self)), exception));
}

PyObject* get_pipe(PyObject* self, void*) {
  PyObject* pipe = as_transport(self)->sock;
  return Py_NewRef(pipe ? pipe : Py_None);
}

// CPython's tests let a transport forget its pipe, so that nobody warns of it.
int set_pipe(PyObject* self, PyObject* value, void*) {
  Transport* transport = as_transport(self);
  const bool none = !value || value == Py_None;
  if (none)
    transport->fd = -1;
  Py_XSETREF(transport->sock, none ? nullptr : Py_NewRef(value));
  return 0;
}

PyObject* get_fileno(PyObject* self, void*) {
  const PipeTransport* pipe = as_pipe(as_transport(self));
  return pipe->number >= 0 ? PyLong_FromLong(pipe->number) : Py_NewRef(Py_None);
}

// ---- methods of one ----------------------------------------------------------------------------

PyObject* close_read_pipe(PyObject* self, PyObject*) {
  PipeTransport* pipe = as_pipe(as_transport(self));
  return none_or_error(pipe->closing ? 0 : end_pipe(pipe, Py_None));
}

PyObject* read_ready(PyObject* self, PyObject*) {
  return none_or_error(read_pipe_ready(as_read_pipe(as_transport(self))));
}

PyObject* write(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* data = only_argument("write", "data", args, nargs, kwnames);
  return data ? none_or_error(write_to_pipe(as_write_pipe(as_transport(self)), data)) : nullptr;
}

PyObject* write_ready(PyObject* self, PyObject*) {
  return none_or_error(write_pipe_ready(as_write_pipe(as_transport(self))));
}

PyObject* close_writer(PyObject* self, PyObject*) {
  return none_or_error(close_write_pipe(as_write_pipe(as_transport(self))));
}

PyObject* abort(PyObject* self, PyObject*) {
  return none_or_error(end_pipe(as_pipe(as_transport(self)), Py_None));
}

PyObject* peer_closed(PyObject* self, PyObject*) {
  return none_or_error(reader_is_gone(as_write_pipe(as_transport(self))));
}

PyObject* can_write_eof(PyObject*, PyObject*) {
  Py_RETURN_TRUE;
}

const PyMethodDef read_methods[] = {
    {"close", close_read_pipe, METH_NOARGS, "close($self, /)\n--\n\nCloses the pipe."},
    {"_read_ready", read_ready, METH_NOARGS, nullptr},
    {"_start_reading", start_reading, METH_NOARGS, nullptr},
    {"_close", close_with, METH_VARARGS, nullptr},
    {"_call_connection_lost", call_connection_lost, METH_O, nullptr},
    {"_fatal_error", as_method(fatal_error_method), METH_VARARGS | METH_KEYWORDS, nullptr},
    {},
};

const PyMethodDef write_methods[] = {
    {"write", as_method(write), METH_FASTCALL | METH_KEYWORDS,
     "write($self, data)\n--\n\nWrites the bytes, or keeps them until they can be written."},
    {"write_eof", close_writer, METH_NOARGS,
     "write_eof($self, /)\n--\n\nCloses the pipe when what was written is sent."},
    {"can_write_eof", can_write_eof, METH_NOARGS, "can_write_eof($self, /)\n--\n\nTrue."},
    {"close", close_writer, METH_NOARGS,
     "close($self, /)\n--\n\nCloses the pipe when what was written is sent."},
    {"abort", abort, METH_NOARGS, "abort($self, /)\n--\n\nCloses the pipe at once."},
    {"_read_ready", peer_closed, METH_NOARGS, nullptr},
    {"_write_ready", write_ready, METH_NOARGS, nullptr},
    {"_start_reading", start_reading, METH_NOARGS, nullptr},
    {"_close", close_with, METH_VARARGS, nullptr},
    {"_call_connection_lost", call_connection_lost, METH_O, nullptr},
    {"_fatal_error", as_method(fatal_error_method), METH_VARARGS | METH_KEYWORDS, nullptr},
    {},
};

const PyGetSetDef attributes[] = {
    {"_pipe", get_pipe, set_pipe, nullptr, nullptr},
    {"_fileno", get_fileno, nullptr, nullptr, nullptr},
    {},
};

int set_max_size(PyTypeObject* type) {
  const Ref size(PyLong_FromSize_t(ReadBuffer::kSize));
  return size ? PyObject_SetAttrString(reinterpret_cast<PyObject*>(type), "max_size", size.get())
              : -1;
}

} // namespace

int add_pipe_transport_types(PyObject* module, ModuleState* state) {
  const Ref reading(PyObject_GetAttrString(state->transports_module, "ReadTransport"));
  const Ref mixin(PyObject_GetAttrString(state->transports_module, "_FlowControlMixin"));
  const Ref writing(PyObject_GetAttrString(state->transports_module, "WriteTransport"));
  const Ref read_bases(reading ? PyTuple_Pack(1, reading.get()) : nullptr);
  const Ref write_bases(mixin && writing ? PyTuple_Pack(2, mixin.get(), writing.get()) : nullptr);
  if (!read_bases || !write_bases)
    return -1;
  state->read_pipe_type = make_transport_type(
      module, "loopgauge._core.ReadPipeTransport", sizeof(ReadPipe),
      "The reading end of a pipe, a socket or a terminal on the built-in loop.", create_read_pipe,
      init_read_pipe, read_methods, attributes, read_bases.get(), kReads);
  if (!state->read_pipe_type || set_max_size(state->read_pipe_type) < 0)
    return -1;
  state->write_pipe_type = make_transport_type(
      module, "loopgauge._core.WritePipeTransport", sizeof(WritePipe),
      "The writing end of a pipe, a socket or a terminal on the built-in loop.", create_write_pipe,
      init_write_pipe, write_methods, attributes, write_bases.get(), kWrites);
  return state->write_pipe_type ? 0 : -1;
}

} // namespace loopgauge::py
