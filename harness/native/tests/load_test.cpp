// The generator's groups against the floor server in a thread: what pytest does with two processes,
// here for the sanitizers.
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "harness/native/floor.hpp"
#include "harness/native/load/address.hpp"
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
  if (pattern == "flood")
    settings.service = FloorServer::Service::flood;
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
      const bool bulk =
          plan.pattern == "sink" || plan.pattern == "source" || plan.pattern == "flood";
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
                    Case{"udp", "flood", 1, 500, 1}, Case{"unixgram", "flood", 1, 2, 1},
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

// The least that a broadcasting server can be, for messages of less than 126 bytes.
void broadcast(int listener, std::size_t clients, std::size_t size) {
  std::vector<core::UniqueFd> peers;
  std::string buffer(4'096, '\0');
  const auto read = [&](std::size_t wanted) {
    std::size_t got = 0;
    while (got < wanted) {
      const ssize_t more = ::recv(peers[0].get(), &buffer[got], wanted - got, 0);
      if (more <= 0)
        return false;
      got += static_cast<std::size_t>(more);
    }
    return true;
  };
  const std::string greeting = "HTTP/1.1 101 OK\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  while (peers.size() < clients) {
    peers.emplace_back(::accept(listener, nullptr, nullptr));
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(peers.back().get(), buffer.data(), buffer.size(), 0);
      if (got <= 0)
        return;
      request.append(buffer.data(), static_cast<std::size_t>(got));
    }
    (void)::send(peers.back().get(), greeting.data(), greeting.size(), MSG_NOSIGNAL);
  }
  constexpr std::size_t client_header = 6;
  while (read(client_header + size)) {
    const std::string frame =
        std::string{'\x82', static_cast<char>(size)} + buffer.substr(client_header, size);
    for (const core::UniqueFd& peer : peers)
      (void)::send(peer.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
  }
}

TEST(Load, ABroadcastReachesEverybody) {
  constexpr std::size_t clients = 3;
  constexpr std::size_t size = 100;
  const core::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  std::thread server([&] { broadcast(listener.get(), clients, size); });
  Plan plan;
  plan.kind = "tcp";
  plan.address = local_address(listener.get());
  plan.address.replace(0, plan.address.find(':'), "127.0.0.1");
  plan.pattern = "broadcast";
  plan.connections = clients;
  plan.size = size;
  plan.depth = 2;
  {
    Group group(plan, -1);
    for (const std::int64_t n : {3, 300}) {
      const Outcome outcome = group.go(n, false);
      EXPECT_EQ(outcome.n, n);
      EXPECT_EQ(outcome.fewest, outcome.most);
    }
    EXPECT_THROW(group.go(4, false), LoadError);
    EXPECT_THROW(group.go(3, true), LoadError);
    EXPECT_THROW(group.go_for(0.01), LoadError);
  }
  server.join();
}

} // namespace
} // namespace loopgauge::bench
