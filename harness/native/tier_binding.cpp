#include "tier_binding.hpp"

#include <memory>
#include <pybind11/stl.h>
#include <string>

#include "tier/backend.hpp"
#include "tier/bare_io.hpp"
#include "tier/pipe.hpp"
#include "tier/scheduling.hpp"
#include "tier/server.hpp"
#include "tier/signals.hpp"
#include "tier/threads.hpp"
#include "tier/timers.hpp"
#include "tier/work.hpp"

namespace py = pybind11;

namespace loopgauge::bench {
namespace {

py::dict as_dict(const BackendInfo& info) {
  using namespace py::literals;
  return py::dict("name"_a = info.name, "path"_a = info.path, "version"_a = info.version,
                  "reason"_a = info.reason);
}

py::list native_backends() {
  py::list found;
  for (const BackendInfo& info : known_backends())
    found.append(as_dict(info));
  return found;
}

// Works hold a reference to the loop they are made on.
template <class... Arguments>
void add_work(py::class_<NativeLoop>& loop, const char* name,
              std::unique_ptr<Work> (*make)(NativeLoop&, Arguments...)) {
  loop.def(name, make, py::keep_alive<0, 1>());
}

} // namespace

void add_tier(py::module_& module) {
  py::register_exception<BackendUnavailable>(module, "BackendUnavailable", PyExc_RuntimeError);
  py::register_exception<NativeFailure>(module, "NativeFailure", PyExc_RuntimeError);
  module.def(
      "native_backends", &native_backends,
      "The native backends that loopgauge knows: name, path, version, and the reason why one "
      "cannot be used.");
  module.def(
      "native_backend", [](const std::string& path) { return as_dict(describe_backend(path)); },
      py::arg("path"), "The same of one name, or of a shared library.");

  py::class_<Work>(module, "Work", "A scenario in C++: run(n) does n operations without the GIL.")
      .def("run", &Work::run, py::arg("n"), py::call_guard<py::gil_scoped_release>(),
           "Returns how many operations were verified.")
      .def("value", &Work::value,
           "What the last run measured, of a scenario that measures a value.");

  module.def("bare_idle_fds", &bare_idle_fds, py::arg("idle"),
             "io.idle_fds on bare epoll, among descriptors that the caller keeps open.");
  module.def("bare_reader_churn", &bare_reader_churn, py::arg("idle"),
             "io.add_reader_churn on bare epoll, among descriptors that the caller keeps open.");
  module.def(
      "bare_file_read",
      [](const std::string& path, const py::bytes& content) {
        return bare_file_read(path, std::string(content));
      },
      py::arg("path"), py::arg("content"), "io.file_read_executor on the calling thread.");
  module.def("bare_file_copy", &bare_file_copy, py::arg("source"), py::arg("target"),
             py::arg("piece"), "io.file_copy on the calling thread.");

  py::class_<NativeLoop> loop(module, "NativeLoop",
                              "NativeLoop(name): a loop of a native backend, or of the shared "
                              "library at a path. See loops/include/loopgauge_native.h.");
  loop.def(py::init<const std::string&>(), py::arg("name"))
      .def_property_readonly("name", [](const NativeLoop& self) { return self.table.name; })
      .def_property_readonly("version", [](const NativeLoop& self) { return self.table.version; })
      .def("interrupt", &NativeLoop::interrupt, "Ends a run, from another thread.");
  loop.def("empty",
           [](NativeLoop&) -> std::unique_ptr<Work> { return std::make_unique<EmptyWork>(); });
  add_work(loop, "chain", &chain);
  add_work(loop, "batches", &batches);
  add_work(loop, "idle_turns", &idle_turns);
  add_work(loop, "producers", &producers);
  add_work(loop, "wakeup", &wakeup);
  add_work(loop, "schedule_cancel", &schedule_cancel);
  add_work(loop, "lateness", &lateness);
  add_work(loop, "million_timers", &million_timers);
  add_work(loop, "pipe_throughput", &pipe_throughput);
  add_work(loop, "signal_roundtrip", &signal_roundtrip);
  module.def("lateness_floor", &lateness_floor);
  module.def("pipe_floor", &pipe_floor);
  module.def("signal_floor", &signal_floor);

  py::class_<NativeServer>(module, "NativeServer",
                           "NativeServer(loop, kind, address): see harness/native/tier/server.hpp.")
      .def(py::init<NativeLoop&, const std::string&, const std::string&>(), py::keep_alive<1, 2>(),
           py::arg("loop"), py::arg("kind"), py::arg("address"))
      .def_property_readonly("address", &NativeServer::address)
      .def("serve_until", &NativeServer::serve_until, py::arg("fd"),
           py::call_guard<py::gil_scoped_release>(),
           "Serve until fd is readable; returns how many messages were answered.");
}

} // namespace loopgauge::bench
