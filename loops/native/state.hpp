// What one import of loopgauge._core owns: its types, what it looked up in asyncio, and its free
// lists.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>

#include "loops/native/socket_state.hpp"
#include "loops/native/tls_state.hpp"

namespace loopgauge::py {

struct Handle;

/// Recycled handles of one type, linked through their `callback` field.
/// A scheduling step allocates nothing once the list is warm: 20 to 30 ns less for each.
struct FreeList {
  static constexpr std::uint32_t kCapacity = 2048;
  Handle* head = nullptr;
  std::uint32_t size = 0;
};

/// Interned attribute names that are used after the import.
struct Names {
  PyObject* add_callback;
  PyObject* append;
  PyObject* attach;
  PyObject* buffer;
  PyObject* buffer_updated;
  PyObject* call_exception_handler;
  PyObject* call_soon;
  PyObject* call_soon_inner;
  PyObject* cancelled;
  PyObject* check_callback;
  PyObject* check_thread;
  PyObject* connection_lost;
  PyObject* connection_made;
  PyObject* context;
  PyObject* data_received;
  PyObject* datagram_received;
  PyObject* detach;
  PyObject* ensure_fd_no_transport;
  PyObject* eof;
  PyObject* eof_received;
  PyObject* error_received;
  PyObject* feed_data;
  PyObject* fileno;
  PyObject* future;
  PyObject* get_buffer;
  PyObject* limit;
  PyObject* monotonic;
  PyObject* pause_writing;
  PyObject* paused;
  PyObject* popleft;
  PyObject* resume_writing;
  PyObject* run;
  PyObject* run_forever_compatible;
  PyObject* run_once;
  PyObject* set_result;
  PyObject* stream_reader_wr;
  PyObject* task;
  PyObject* timer_handle_cancelled;
  PyObject* transport;
  PyObject* waiter;
  PyObject* write_to_self;
};

/// asyncio's stream classes, and what tells that they are unchanged (stream_reader.cpp).
struct StreamClasses {
  PyTypeObject* protocol;
  PyTypeObject* reader;
  PyObject* data_received; // their functions at import
  PyObject* feed_data;
  unsigned int protocol_tag; // versions of the types when they were last compared; 0: never
  unsigned int reader_tag;
};

struct ModuleState {
  PyTypeObject* handle_type;
  PyTypeObject* timer_handle_type;
  PyTypeObject* thread_safe_handle_type; // null before 3.14
  PyTypeObject* loop_type;
  PyTypeObject* socket_transport_type;
  PyTypeObject* datagram_transport_type;
  PyTypeObject* read_pipe_type;
  PyTypeObject* write_pipe_type;

  PyObject* selector_event_loop; // asyncio.SelectorEventLoop: CPython's own scheduler, for the
                                 // compatible path
  PyObject* stock_methods;       // its methods at import; see record_stock_methods()
  PyObject*
      futures_module;      // asyncio.futures and asyncio.tasks: classes are looked up at each call,
  PyObject* tasks_module;  // so that a patched Future or Task is honoured
  PyObject* extract_stack; // asyncio.format_helpers.extract_stack
  PyObject* heappush;      // heapq.heappush
  PyObject* deque;         // collections.deque
  PyObject* time_module;
  PyObject*
      monotonic; // time.monotonic as it was at import: another one there now is a patched clock
  PyObject* get_running_loop; // asyncio.events._get_running_loop and _set_running_loop
  PyObject* set_running_loop;
  PyObject* loop_kwnames;      // ("loop",)
  PyObject* c_future;          // _asyncio.Future
  PyObject* no_arguments;      // ()
  PyObject* future_keywords;   // {"loop": None}, see new_c_future()
  PyObject* context_names;     // ("context",)
  PyObject* transports_module; // asyncio.transports, protocols and trsock
  PyObject* protocols_module;
  PyObject* trsock_module;
  PyObject* socket_module;
  bool server_takes_transport; // Server._attach(transport): 3.12.? and newer
  bool task_takes_any_keyword; // create_task(coro, **kwargs): 3.13.3, 3.14 and newer

  /// The tuple of keyword names that was last found to be exactly ("context",). _asyncio passes one
  /// cached tuple whose string is not interned, so the tuple's identity is what is compared.
  PyObject* context_kwnames;
  /// The keyword names create_task() was last called with, and the same with "loop" in front.
  PyObject* task_kwnames;
  PyObject* task_kwnames_with_loop;

  StreamClasses streams;
  SocketState sockets;
  Names names;
  FreeList handles;
  FreeList timer_handles;
  FreeList thread_safe_handles;

  TlsState tls;
};

/// The state of the module that made `type` (one of the module's own types). Never null.
inline ModuleState* state_of(PyTypeObject* type) {
  return static_cast<ModuleState*>(PyType_GetModuleState(type));
}

/// The one module definition, for finding the state from a subclass made in Python.
PyModuleDef* module_definition();

} // namespace loopgauge::py
