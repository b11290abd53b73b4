// A set of connections with one purpose: opens them, drives them in a closed or an open loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/connection.hpp"
#include "load/histogram.hpp"
#include "load/plan.hpp"
#include "load/stamps.hpp"
#include "load/waiter.hpp"

namespace loopgauge::bench {

// What a run brought: protocol.Done.
struct Outcome {
  std::int64_t n = 0;
  std::uint64_t bytes = 0;
  std::int64_t wall_ns = 0;
  std::int64_t cpu_ns = 0;
  std::int64_t fewest = 0;
  std::int64_t median = 0;
  std::int64_t most = 0;
};

// What an open loop adds: protocol.OpenLoop.
struct OpenLoopOutcome {
  double achieved_per_second = 0;
  std::int64_t due = 0;
  std::int64_t unsent = 0;
  std::int64_t late_max_ns = 0;
};

class Group {
 public:
  // Returns once all connections are established. `control`: see Waiter. Every member function
  // throws LoadError; after one of another kind than `usage` the group is of no more use.
  Group(const Plan& plan, int control);

  // Exactly `n` operations. `free_share`: all connections take from one pool.
  Outcome go(std::int64_t n, bool free_share);
  // As many as are completed of those that are started within `seconds`.
  Outcome go_for(double seconds);

  // Operations at a constant rate. `drain`: seconds beyond the end in which what waits is still
  // sent. `spin`: wait for the last microseconds without sleeping, for a core of one's own.
  std::pair<Outcome, OpenLoopOutcome> rate(double per_second, double seconds, double drain,
                                           bool spin);

  // Of the last run; service times only after rate(). Empty where an operation has no latency.
  [[nodiscard]] const Histogram& latency() const noexcept { return latency_; }
  [[nodiscard]] const Histogram& service() const noexcept { return service_; }
  [[nodiscard]] std::int64_t connections() const noexcept {
    return static_cast<std::int64_t>(members_.size());
  }

 private:
  static constexpr std::int64_t retry_ns = 1'000'000; // a Unix listener's queue was full

  struct Member {
    std::unique_ptr<Connection> connection;
    bool registered = false;
    std::uint32_t events = 0;     // that epoll waits for
    std::uint32_t generation = 0; // of the socket that is registered
    std::int64_t quota = 0;       // operations that it may still start
    std::int64_t in_flight = 0;
    std::int64_t done = 0;
    std::int64_t waiting = 0; // open loop: due, and not sent for lack of depth
    std::int64_t sent = 0;    // open loop
    Stamps stamps;            // of what is in flight, oldest first
  };

  [[nodiscard]] std::unique_ptr<Connection> make_connection(std::size_t index);
  void open_all();
  void update(std::size_t index);
  std::span<const epoll_event> wait(std::int64_t at_most_ns);
  void retry_all();
  [[nodiscard]] std::string stall() const;
  [[noreturn]] void rethrow(std::size_t index, const std::exception& error) const;

  void begin();
  Outcome outcome(std::int64_t n, std::int64_t end);
  void deal(std::int64_t n, bool free_share);
  void start_all();
  std::int64_t turn(std::int64_t at_most_ns);
  void start(std::size_t index, std::int64_t count, Stamp stamp);
  void top_up(std::size_t index, std::int64_t now);
  std::int64_t handle(std::size_t index, std::uint32_t events);

  Plan plan_;
  Shared shared_;
  Pattern payload_;
  bool has_latency_; // operations are timed one by one, `depth` at once; otherwise all at once
  bool short_lived_;
  Waiter waiter_;
  std::vector<Member> members_;
  Histogram latency_;
  Histogram service_;
  std::int64_t pool_ = 0;    // free share: operations that nobody has started
  std::size_t first_ = 0;    // the connection that begins: rotates from run to run
  std::size_t retrying_ = 0; // connections that must be tried again without an event
  std::uint64_t seen_progress_ = 0;
  std::int64_t progress_at_ = 0;
  std::int64_t started_at_ = 0;  // of the running loop
  std::int64_t answered_at_ = 0; // the last completed operation
  std::int64_t cpu_before_ = 0;
  std::uint64_t bytes_before_ = 0;
};

} // namespace loopgauge::bench
