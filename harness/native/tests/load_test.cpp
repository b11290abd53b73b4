// The generator's groups against the floor server in a thread: what pytest does with two processes,
// here for the sanitizers.
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>

#include "harness/native/floor.hpp"
#include "harness/native/load/error.hpp"
#include "harness/native/load/group.hpp"

namespace loopgauge::bench {
namespace {

FloorServer::Settings settings_of(const std::string& kind, const std::string& pattern) {
  FloorServer::Settings settings;
  settings.kind = kind;
  settings.address = kind == "tcp" || kind == "udp"
                         ? "127.0.0.1:0"
                         : "@loopgauge-load-test-" + std::to_string(::getpid());
  if (pattern == "sink")
    settings.service = FloorServer::Service::sink;
  if (pattern == "source") {
    settings.service = FloorServer::Service::source;
    settings.content = source_block(3'000);
  }
  if (pattern == "http") {
    settings.service = FloorServer::Service::http;
    settings.content = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  }
  return settings;
}

class Served {
 public:
  explicit Served(const FloorServer::Settings& settings) : server_(settings) {
    EXPECT_EQ(::pipe(stop_.data()), 0);
    thread_ = std::thread([this] {
      FloorServer::Until until;
      until.readable = stop_[0];
      server_.serve(until);
    });
  }
  ~Served() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
  }
  [[nodiscard]] const std::string& address() const { return server_.address(); }

 private:
  FloorServer server_;
  std::array<int, 2> stop_{};
  std::thread thread_;
};

struct Case {
  const char* kind;
  const char* pattern;
  std::int64_t connections;
  std::int64_t size;
  std::int64_t depth;
};

class Load : public testing::TestWithParam<Case> {};

TEST_P(Load, DoesExactlyWhatItIsAskedFor) {
  const Case& c = GetParam();
  const Served server(settings_of(c.kind, c.pattern));
  Plan plan;
  plan.kind = c.kind;
  plan.address = server.address();
  plan.pattern = c.pattern;
  plan.connections = c.connections;
  plan.size = c.size;
  plan.depth = c.depth;
  if (plan.pattern == "http") {
    plan.request = "GET / HTTP/1.1\r\n\r\n";
    plan.expect = "ok";
  }
  Group group(plan, -1);
  for (const bool free_share : {false, true})
    for (const std::int64_t n : {1, 57}) {
      const Outcome outcome = group.go(n, free_share);
      EXPECT_EQ(outcome.n, n);
      if (plan.pattern != "http") {
        EXPECT_EQ(outcome.bytes, static_cast<std::uint64_t>(n * c.size));
      }
      const bool bulk = plan.pattern == "sink" || plan.pattern == "source";
      EXPECT_EQ(group.latency().count(), bulk ? 0 : n);
    }
  EXPECT_GT(group.go_for(0.01).n, 0);
  if (plan.pattern == "echo") {
    const auto [outcome, open] = group.rate(1'000, 0.02, 0, false);
    EXPECT_EQ(open.due, 20);
    EXPECT_EQ(outcome.n + open.unsent, 20);
    EXPECT_EQ(group.latency().count(), 20);
    EXPECT_EQ(group.service().count(), outcome.n);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Load,
    testing::Values(Case{"tcp", "echo", 3, 1'000, 4}, Case{"tcp", "echo", 2, 2'000'000, 2},
                    Case{"unix", "echo", 5, 70'000, 1}, Case{"udp", "echo", 2, 500, 2},
                    Case{"unixgram", "echo", 2, 500, 2}, Case{"tcp", "lines", 3, 80, 3},
                    Case{"tcp", "sink", 3, 3'000, 1}, Case{"tcp", "source", 3, 3'000, 1},
                    Case{"tcp", "connect", 4, 100, 1}, Case{"unix", "connect", 4, 0, 1},
                    Case{"tcp", "http", 2, 0, 5}));

TEST(Load, AServerThatIsGoneIsAnError) {
  Plan plan;
  plan.kind = "tcp";
  plan.pattern = "echo";
  std::unique_ptr<Group> group;
  {
    const Served server(settings_of("tcp", "echo"));
    plan.address = server.address();
    group = std::make_unique<Group>(plan, -1);
    EXPECT_EQ(group->go(5, false).n, 5);
  }
  EXPECT_THROW(group->go(1, false), LoadError);
  EXPECT_THROW(Group(plan, -1), LoadError);
}

} // namespace
} // namespace loopgauge::bench
