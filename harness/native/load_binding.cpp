#include "load_binding.hpp"

#include <map>
#include <memory>
#include <pybind11/stl.h>
#include <string>
#include <utility>

#include "clocks.hpp"
#include "floor.hpp"
#include "load/error.hpp"
#include "load/group.hpp"

namespace py = pybind11;

namespace loopgauge::bench {
namespace {

// Raises LoadError(reason) with .kind.
py::object error_type; // NOLINT: lives as long as the module, and is never destroyed

[[noreturn]] void raise(const LoadError& error) {
  py::object raised = error_type(error.what());
  raised.attr("kind") = name(error.kind());
  PyErr_SetObject(error_type.ptr(), raised.ptr());
  throw py::error_already_set();
}

// Runs `work` without the GIL.
template <class Work>
auto without_gil(const Work& work) {
  try {
    const py::gil_scoped_release released;
    return work();
  } catch (const LoadError& error) {
    raise(error);
  }
}

bool interrupted() {
  const py::gil_scoped_acquire acquired;
  return PyErr_CheckSignals() != 0; // the exception stays set until serve_until returns
}

py::object latencies(const Histogram& histogram, bool with_buckets) {
  if (histogram.count() == 0)
    return py::none();
  using namespace py::literals;
  py::dict result("count"_a = histogram.count(), "min_ns"_a = histogram.min(),
                  "mean_ns"_a = histogram.mean(), "max_ns"_a = histogram.max(),
                  "p50_ns"_a = histogram.quantile(0.5), "p90_ns"_a = histogram.quantile(0.9),
                  "p99_ns"_a = histogram.quantile(0.99), "p99_9_ns"_a = histogram.quantile(0.999),
                  "p99_99_ns"_a = histogram.quantile(0.9999));
  if (with_buckets)
    result["buckets"] = histogram.buckets();
  return result;
}

py::dict done(const Outcome& outcome) {
  using namespace py::literals;
  return py::dict("n"_a = outcome.n, "bytes"_a = outcome.bytes, "wall_ns"_a = outcome.wall_ns,
                  "cpu_ns"_a = outcome.cpu_ns, "fewest"_a = outcome.fewest,
                  "median"_a = outcome.median, "most"_a = outcome.most);
}

template <class T>
T member(const py::dict& from, const char* key) {
  return from[key].cast<T>();
}

Plan read_plan(const py::dict& from) {
  Plan plan;
  plan.kind = member<std::string>(from, "kind");
  plan.address = member<std::string>(from, "address");
  plan.pattern = member<std::string>(from, "pattern");
  plan.connections = member<std::int64_t>(from, "connections");
  plan.size = member<std::int64_t>(from, "size");
  plan.depth = member<std::int64_t>(from, "depth");
  plan.timeout_s = member<double>(from, "timeout_s");
  plan.request = member<std::string>(from, "request");
  plan.expect = member<std::optional<std::string>>(from, "expect");
  plan.server_name = member<std::string>(from, "server_name");
  plan.certificates = member<std::string>(from, "certificates");
  return plan;
}

FloorServer::Settings read_settings(const py::dict& from) {
  FloorServer::Settings settings;
  settings.kind = member<std::string>(from, "kind");
  settings.address = member<std::string>(from, "address");
  settings.backlog = member<int>(from, "backlog");
  const auto pattern = member<std::string>(from, "pattern");
  if (pattern == "accept")
    settings.service = FloorServer::Service::accept;
  if (pattern == "http") {
    settings.service = FloorServer::Service::http;
    const auto body = member<std::string>(from, "expect");
    settings.content = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  return settings;
}

class Listener {
 public:
  Listener(const FloorServer::Settings& settings, double timeout_s, int control)
      : server_(settings), timeout_s_(timeout_s), control_(control) {}

  [[nodiscard]] const std::string& address() const noexcept { return server_.address(); }

  Outcome go(std::int64_t n) {
    if (n < 1)
      throw LoadError(Failure::usage, "n must be at least 1");
    const std::int64_t start = monotonic_ns();
    const std::int64_t cpu = thread_cpu_ns();
    target_ += n;
    FloorServer::Until until;
    until.readable = control_;
    until.served = target_;
    until.timeout_s = timeout_s_;
    const auto ended = server_.serve(until);
    if (ended == FloorServer::Ended::readable)
      throw LoadError(Failure::stopped, "stopped by the next command");
    if (ended == FloorServer::Ended::timeout)
      throw LoadError(Failure::stalled, "nothing happened on the listener at " + address() + ": " +
                                            std::to_string(n - target_ + server_.served()) +
                                            " of " + std::to_string(n) + " were served");
    Outcome outcome;
    outcome.n = n;
    outcome.wall_ns = monotonic_ns() - start;
    outcome.cpu_ns = thread_cpu_ns() - cpu;
    return outcome;
  }

 private:
  FloorServer server_;
  double timeout_s_;
  int control_;
  std::int64_t target_ = 0;
};

// All groups and listeners of a generator, by the caller's numbers.
class LoadEngine {
 public:
  explicit LoadEngine(int control) : control_(control) {}

  std::int64_t open(int id, const py::dict& members) {
    check_free(id);
    const Plan plan = read_plan(members);
    auto group = without_gil([&] { return std::make_unique<Group>(plan, control_); });
    return groups_.emplace(id, std::move(group)).first->second->connections();
  }

  std::string listen(int id, const py::dict& members) {
    check_free(id);
    const auto settings = read_settings(members);
    const auto timeout = member<double>(members, "timeout_s");
    auto listener =
        without_gil([&] { return std::make_unique<Listener>(settings, timeout, control_); });
    return listeners_.emplace(id, std::move(listener)).first->second->address();
  }

  // `seconds`: 0: n operations.
  py::dict go(int id, std::int64_t n, double seconds, bool free_share, bool histogram) {
    if (const auto found = listeners_.find(id); found != listeners_.end())
      return done(without_gil([&] { return found->second->go(n); }));
    Group& group = find(id);
    py::dict result = done(without_gil(
        [&] { return seconds == 0 ? group.go(n, free_share) : group.go_for(seconds); }));
    result["latency"] = latencies(group.latency(), histogram);
    return result;
  }

  py::dict rate(int id, double per_second, double seconds, double drain, bool histogram,
                bool spin) {
    using namespace py::literals;
    Group& group = find(id);
    const auto [outcome, open] =
        without_gil([&] { return group.rate(per_second, seconds, drain, spin); });
    py::dict result = done(outcome);
    result["latency"] = latencies(group.latency(), histogram);
    result["open_loop"] = py::dict(
        "service"_a = latencies(group.service(), histogram), "asked_per_second"_a = per_second,
        "achieved_per_second"_a = open.achieved_per_second, "due"_a = open.due,
        "unsent"_a = open.unsent,
        "reached"_a = open.unsent == 0 && open.achieved_per_second >= 0.99 * per_second,
        "late_max_ns"_a = open.late_max_ns);
    return result;
  }

  void close(int id) {
    groups_.erase(id);
    listeners_.erase(id);
  }

 private:
  void check_free(int id) const {
    if (groups_.contains(id) || listeners_.contains(id))
      raise(LoadError(Failure::usage, "there is a group " + std::to_string(id) + " already"));
  }

  Group& find(int id) {
    const auto found = groups_.find(id);
    if (found == groups_.end())
      raise(LoadError(Failure::usage, "there is no group " + std::to_string(id)));
    return *found->second;
  }

  int control_;
  std::map<int, std::unique_ptr<Group>> groups_;
  std::map<int, std::unique_ptr<Listener>> listeners_;
};

std::string floor_kind(const std::string& service) {
  if (service == "flood")
    return "udp";
  const bool over_tcp =
      service == "sink" || service == "source" || service == "sendfile" || service == "accept";
  return over_tcp ? "tcp" : service;
}

std::unique_ptr<FloorServer> make_floor(const std::string& kind, const std::string& address,
                                        std::size_t size) {
  FloorServer::Settings settings;
  settings.kind = floor_kind(kind);
  if (kind == "accept")
    settings.service = FloorServer::Service::accept;
  if (kind == "sink")
    settings.service = FloorServer::Service::sink;
  if (kind == "flood")
    settings.service = FloorServer::Service::flood;
  if (kind == "source" || kind == "sendfile") {
    settings.service =
        kind == "source" ? FloorServer::Service::source : FloorServer::Service::sendfile;
    settings.content = source_block(size);
  }
  settings.address = address;
  return without_gil([&] { return std::make_unique<FloorServer>(settings); });
}

std::int64_t serve_until(FloorServer& server, int fd) {
  const std::int64_t before = server.messages();
  FloorServer::Until until;
  until.readable = fd;
  until.interrupted = interrupted;
  if (without_gil([&] { return server.serve(until); }) == FloorServer::Ended::interrupted)
    throw py::error_already_set();
  return server.messages() - before;
}

} // namespace

void add_load(py::module_& module) {
  error_type = py::reinterpret_steal<py::object>(PyErr_NewExceptionWithDoc(
      "loopgauge._bench.LoadError",
      "Load or floor could not do what was asked; .kind as in harness/load/protocol.py, Failed.",
      PyExc_RuntimeError, nullptr));
  module.attr("LoadError") = error_type;
  module.def(
      "load_pattern", [](std::size_t size) { return py::bytes(source_block(size)); },
      py::arg("size"), "The block that a server of the pattern `source` sends over and over.");
  module.def("tls_unavailable", &Tls::unavailable,
             "Why the load generator has no TLS here; empty if it has.");

  py::class_<LoadEngine>(module, "LoadEngine",
                         "LoadEngine(control): the commands of harness/load/protocol.py; control "
                         "is the descriptor whose readability stops a running one.")
      .def(py::init<int>(), py::arg("control"))
      .def("open", &LoadEngine::open, py::arg("id"), py::arg("members"))
      .def("listen", &LoadEngine::listen, py::arg("id"), py::arg("members"))
      .def("go", &LoadEngine::go, py::arg("id"), py::arg("n"), py::arg("seconds"),
           py::arg("free_share"), py::arg("histogram"))
      .def("rate", &LoadEngine::rate, py::arg("id"), py::arg("per_second"), py::arg("seconds"),
           py::arg("drain"), py::arg("histogram"), py::arg("spin"))
      .def("close", &LoadEngine::close, py::arg("id"));

  py::class_<FloorServer>(module, "FloorServer",
                          "FloorServer(kind, address, size): a server without a loop; see "
                          "harness/native/floor.hpp.")
      .def(py::init(&make_floor), py::arg("kind"), py::arg("address") = "127.0.0.1:0",
           py::arg("size") = 65'536)
      .def_property_readonly("address", &FloorServer::address)
      .def("serve_until", &serve_until, py::arg("fd"),
           "Serve until fd is readable; returns how many messages were answered.")
      .def("close", &FloorServer::close, "Close every connection and the listening socket.");
}

} // namespace loopgauge::bench
