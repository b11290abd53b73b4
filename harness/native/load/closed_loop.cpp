// The closed loop: a connection starts an operation when it was answered one.
#include <algorithm>

#include "clocks.hpp"
#include "load/error.hpp"
#include "load/group.hpp"

namespace loopgauge::bench {

Outcome Group::go(std::int64_t n, bool free_share) {
  if (plan_.pattern == "idle")
    throw LoadError(Failure::usage, "idle connections do nothing");
  if (n < 1)
    throw LoadError(Failure::usage, "n must be at least 1");
  begin();
  deal(n, free_share);
  std::int64_t done = 0;
  for (std::size_t step = 0; step < members_.size(); ++step)
    top_up((first_ + step) % members_.size(), monotonic_ns());
  first_ = (first_ + static_cast<std::size_t>(n)) % members_.size();
  while (done < n) {
    for (const epoll_event& event : wait(retrying_ ? retry_ns : INT64_MAX)) {
      const auto index = static_cast<std::size_t>(event.data.u64);
      const std::int64_t completed = handle(index, event.events);
      if (completed == 0)
        continue;
      done += completed;
      top_up(index, answered_at_);
    }
    retry_all();
  }
  return outcome(n, answered_at_);
}

void Group::begin() {
  latency_.clear();
  service_.clear();
  for (Member& member : members_)
    member.done = member.waiting = member.sent = 0;
  cpu_before_ = thread_cpu_ns();
  bytes_before_ = traffic();
  started_at_ = answered_at_ = progress_at_ = monotonic_ns();
  seen_progress_ = shared_.progress;
}

// Who may start how many.
void Group::deal(std::int64_t n, bool free_share) {
  const auto count = static_cast<std::int64_t>(members_.size());
  pool_ = free_share ? n : 0;
  for (std::size_t step = 0; step < members_.size(); ++step) {
    const std::int64_t extra = static_cast<std::int64_t>(step) < n % count;
    members_[(first_ + step) % members_.size()].quota = free_share ? 0 : n / count + extra;
  }
}

// Starts what the connection may start now. Without a latency the whole quota is one piece: a bulk
// transfer has no depth.
void Group::top_up(std::size_t index, std::int64_t now) {
  Member& member = members_[index];
  std::int64_t room = has_latency_ ? plan_.depth - member.in_flight : INT64_MAX;
  if (pool_ > 0 && room > 0) {
    const std::int64_t taken =
        has_latency_ ? std::min(room, pool_) : std::max<std::int64_t>(pool_ / connections(), 1);
    member.quota += taken;
    pool_ -= taken;
  }
  room = std::min(room, member.quota);
  if (room > 0) {
    member.quota -= room;
    start(index, room, {now, now});
  }
}

void Group::start(std::size_t index, std::int64_t count, Stamp stamp) {
  Member& member = members_[index];
  member.in_flight += count;
  if (has_latency_)
    for (std::int64_t i = 0; i < count; ++i)
      member.stamps.push(stamp);
  try {
    member.connection->start(count);
    update(index);
  } catch (const LoadError& error) {
    rethrow(index, error);
  }
}

// Lets the connection do what the events allow. Returns how many operations that completed.
std::int64_t Group::handle(std::size_t index, std::uint32_t events) {
  Member& member = members_[index];
  std::int64_t completed = 0;
  try {
    completed = member.connection->ready(events);
    update(index);
  } catch (const LoadError& error) {
    rethrow(index, error);
  }
  if (completed == 0)
    return 0;
  member.in_flight -= completed;
  member.done += completed;
  answered_at_ = monotonic_ns();
  for (std::int64_t i = 0; has_latency_ && i < completed; ++i) {
    const Stamp stamp = member.stamps.pop();
    latency_.record(answered_at_ - stamp.due);
    service_.record(answered_at_ - stamp.sent);
  }
  return completed;
}

Outcome Group::outcome(std::int64_t n, std::int64_t end) {
  Outcome result;
  result.n = n;
  result.bytes = traffic() - bytes_before_;
  result.wall_ns = end - started_at_;
  result.cpu_ns = thread_cpu_ns() - cpu_before_;
  std::vector<std::int64_t> counts;
  counts.reserve(members_.size());
  for (const Member& member : members_)
    counts.push_back(member.done);
  std::sort(counts.begin(), counts.end());
  result.fewest = counts.front();
  result.median = counts[counts.size() / 2];
  result.most = counts.back();
  return result;
}

} // namespace loopgauge::bench
