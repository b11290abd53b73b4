// The closed loop: a connection starts an operation when it was answered one.
#include <algorithm>

#include "clocks.hpp"
#include "load/error.hpp"
#include "load/group.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::int64_t bulk_piece = std::int64_t{4} << 20; // bytes of one announcement
constexpr std::int64_t most_in_piece = 16'384;             // operations: of small ones too

} // namespace

Outcome Group::go(std::int64_t n, bool free_share) {
  if (n < 1)
    throw LoadError(Failure::usage, "n must be at least 1");
  if (plan_.pattern == "broadcast" && (free_share || n % connections() != 0))
    throw LoadError(Failure::usage, "a broadcast goes to all: n must be a multiple of " +
                                        std::to_string(connections()) + ", in equal shares");
  begin();
  deal(n, free_share);
  start_all();
  first_ = (first_ + static_cast<std::size_t>(n)) % members_.size();
  for (std::int64_t done = 0; done < n;)
    done += turn(INT64_MAX);
  return outcome(n, answered_at_);
}

Outcome Group::go_for(double seconds) {
  if (!(seconds > 0 && seconds <= 86'400))
    throw LoadError(Failure::usage, "seconds must be above 0 and at most a day");
  if (plan_.pattern == "broadcast")
    throw LoadError(Failure::usage, "a broadcast goes to all: ask for a number of operations");
  begin();
  deal(INT64_MAX, true);
  start_all();
  const std::int64_t end = started_at_ + static_cast<std::int64_t>(seconds * 1e9);
  std::int64_t done = 0;
  for (std::int64_t now = started_at_; now < end; now = monotonic_ns())
    done += turn(end - now);
  pool_ = 0;
  const auto busy = [](const Member& member) { return member.in_flight > 0; };
  while (std::any_of(members_.begin(), members_.end(), busy))
    done += turn(INT64_MAX);
  return outcome(done, answered_at_);
}

void Group::start_all() {
  for (std::size_t step = 0; step < members_.size(); ++step)
    top_up((first_ + step) % members_.size(), monotonic_ns());
}

// One wait and what follows from it. Returns how many operations were completed.
std::int64_t Group::turn(std::int64_t at_most_ns) {
  std::int64_t done = 0;
  for (const epoll_event& event : wait(retrying_ ? retry_ns : at_most_ns)) {
    const auto index = static_cast<std::size_t>(event.data.u64);
    const std::int64_t completed = handle(index, event.events);
    if (completed == 0)
      continue;
    done += completed;
    top_up(index, answered_at_);
  }
  retry_all();
  return done;
}

void Group::begin() {
  if (plan_.pattern == "idle")
    throw LoadError(Failure::usage, "idle connections do nothing");
  latency_.clear();
  service_.clear();
  for (Member& member : members_)
    member.done = member.waiting = member.sent = 0;
  cpu_before_ = thread_cpu_ns();
  bytes_before_ = shared_.received;
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

// Starts what the connection may start now. Without a latency the whole quota is one piece, and a
// piece of the pool is several megabytes: a bulk transfer has no depth.
void Group::top_up(std::size_t index, std::int64_t now) {
  Member& member = members_[index];
  if (!has_latency_ && member.in_flight > 0)
    return; // operations of a piece may be completed one by one
  std::int64_t room = has_latency_ ? plan_.depth - member.in_flight : INT64_MAX;
  if (pool_ > 0 && room > 0) {
    const std::int64_t piece =
        has_latency_ ? room : std::clamp<std::int64_t>(bulk_piece / plan_.size, 1, most_in_piece);
    const std::int64_t taken = std::min(piece, pool_);
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
  const bool one_way = plan_.pattern == "sink" || plan_.pattern == "flood";
  result.bytes = one_way ? static_cast<std::uint64_t>(n) * static_cast<std::uint64_t>(plan_.size)
                         : shared_.received - bytes_before_;
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
