// The open loop: operation i is due at i / rate, whatever happened to those before. A connection
// whose depth is used up sends it later, and its latency counts from when it was due: a server that
// stalls is seen by every operation that fell into the stall, not only by those it was working on
// ("coordinated omission").
#include <algorithm>
#include <cmath>

#include "clocks.hpp"
#include "load/error.hpp"
#include "load/group.hpp"

namespace loopgauge::bench {
namespace {

constexpr double second = 1e9;
constexpr std::int64_t spin_below_ns = 100'000; // a sleep ends that much too late, now and then

class Schedule {
 public:
  Schedule(std::int64_t start, double per_second, double seconds)
      : start_(start), interval_(second / per_second),
        total_(std::llround(std::floor(per_second * seconds))) {}

  [[nodiscard]] std::int64_t total() const noexcept { return total_; }
  [[nodiscard]] std::int64_t due(std::int64_t operation) const noexcept {
    return start_ + std::llround(static_cast<double>(operation) * interval_);
  }

 private:
  std::int64_t start_;
  double interval_; // nanoseconds
  std::int64_t total_;
};

} // namespace

std::pair<Outcome, OpenLoopOutcome> Group::rate(double per_second, double seconds, double drain,
                                                bool spin) {
  if (!has_latency_ || short_lived_ || plan_.pattern == "idle")
    throw LoadError(Failure::usage, "an open loop needs the pattern echo, lines or http");
  if (!std::isfinite(per_second) || per_second <= 0 || per_second > 1e7)
    throw LoadError(Failure::usage, "per_second must be above 0 and at most 10 million");
  if (!std::isfinite(seconds) || seconds <= 0 || seconds > 86'400)
    throw LoadError(Failure::usage, "seconds must be above 0 and at most a day");
  if (!(drain >= 0 && drain <= 86'400))
    throw LoadError(Failure::usage, "drain_s must be between 0 and a day");
  begin();
  const Schedule schedule(started_at_, per_second, seconds);
  if (schedule.total() < 1)
    throw LoadError(Failure::usage, "that rate asks for no operation in that time");

  const auto count = connections();
  const std::int64_t end = started_at_ + std::llround(seconds * second);
  OpenLoopOutcome open;
  std::int64_t issued = 0; // operations that were due so far
  std::int64_t answered = 0;
  std::int64_t in_flight = 0;
  std::int64_t waiting = 0; // due, and not sent

  // The connection's oldest operation that has not been sent.
  const auto send_next = [&](std::size_t index, std::int64_t now) {
    Member& member = members_[index];
    const std::int64_t operation = member.sent++ * count + static_cast<std::int64_t>(index);
    start(index, 1, {schedule.due(operation), now});
    ++in_flight;
  };
  const auto issue_due = [&] {
    std::int64_t now = monotonic_ns();
    for (; issued < schedule.total() && schedule.due(issued) <= now; ++issued) {
      const auto index = static_cast<std::size_t>(issued % count);
      Member& member = members_[index];
      if (member.in_flight >= plan_.depth) {
        ++member.waiting;
        ++waiting;
        continue;
      }
      open.late_max_ns = std::max(open.late_max_ns, now - schedule.due(issued));
      send_next(index, now);
      now = monotonic_ns();
    }
    return now;
  };
  const auto receive = [&](std::int64_t at_most_ns) {
    for (const epoll_event& event : wait(at_most_ns)) {
      const auto index = static_cast<std::size_t>(event.data.u64);
      const std::int64_t completed = handle(index, event.events);
      if (completed == 0)
        continue;
      answered += completed;
      in_flight -= completed;
      Member& member = members_[index];
      for (; member.waiting > 0 && member.in_flight < plan_.depth; --member.waiting, --waiting)
        send_next(index, answered_at_);
    }
  };

  std::int64_t now = issue_due();
  while (now < end && answered < schedule.total()) {
    const std::int64_t next = issued < schedule.total() ? schedule.due(issued) : end;
    const std::int64_t left = std::max<std::int64_t>(next - now, 0);
    if (spin)
      receive(left > 2 * spin_below_ns ? left - spin_below_ns : 0);
    else
      receive(left);
    now = issue_due();
    if (in_flight == 0)
      progress_at_ = now; // a slow rate is no stall
  }

  // The time is over. What still waits is sent for as long as was asked for; the rest never is, and
  // waited at least until now.
  const std::int64_t drained = end + std::llround(drain * second);
  while (waiting > 0 && now < drained) {
    receive(drained - now);
    now = monotonic_ns();
  }
  for (std::size_t index = 0; index < members_.size(); ++index)
    for (Member& member = members_[index]; member.waiting > 0; --member.waiting) {
      const std::int64_t operation = member.sent++ * count + static_cast<std::int64_t>(index);
      latency_.record(now - schedule.due(operation));
      ++open.unsent;
    }
  while (in_flight > 0)
    receive(INT64_MAX);

  open.due = schedule.total();
  open.achieved_per_second = static_cast<double>(answered) * second /
                             static_cast<double>(std::max(answered_at_, end) - started_at_);
  return {outcome(answered, answered_at_), open};
}

} // namespace loopgauge::bench
