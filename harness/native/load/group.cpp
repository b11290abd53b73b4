#include "load/group.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "clocks.hpp"
#include "load/broadcast.hpp"
#include "load/datagrams.hpp"
#include "load/error.hpp"
#include "load/flood.hpp"
#include "load/lives.hpp"

namespace loopgauge::bench {
namespace {

// Connections that are being made at once: more would only fill the server's queue.
constexpr std::size_t most_dials = 64;
constexpr Position stride = 7'919; // between the beginnings of two connections' bytes

Plan checked(Plan plan) {
  check(plan);
  return plan;
}

// What goes one way, or is answered in bulk, has no latency of its own.
bool is_timed(const std::string& pattern) {
  return pattern != "sink" && pattern != "source" && pattern != "flood" && pattern != "broadcast";
}

Shared shared_for(const Plan& plan) {
  Shared shared;
  shared.target.kind = kind_of(plan.kind);
  shared.target.text = plan.address;
  shared.target.address = parse_address(shared.target.kind, plan.address);
  if (shared.target.kind == Kind::tls)
    shared.target.tls = std::make_unique<Tls>(plan.server_name, plan.certificates);
  shared.target.rotate_sources =
      plan.pattern == "connect" && shared.target.address.is_loopback_v4();
  return shared;
}

} // namespace

Group::Group(const Plan& plan, int control)
    : plan_(checked(plan)), shared_(shared_for(plan)), payload_(payload(plan)),
      has_latency_(is_timed(plan.pattern)), short_lived_(plan.pattern == "connect"),
      waiter_(control) {
  members_.resize(static_cast<std::size_t>(plan.connections));
  for (std::size_t index = 0; index < members_.size(); ++index)
    members_[index].connection = make_connection(index);
  if (!short_lived_)
    open_all();
}

std::unique_ptr<Connection> Group::make_connection(std::size_t index) {
  const auto size = static_cast<std::size_t>(plan_.size);
  const Position start = index * stride;
  if (plan_.pattern == "flood")
    return std::make_unique<FloodConnection>(shared_, payload_, size);
  if (plan_.pattern == "broadcast")
    return std::make_unique<BroadcastConnection>(shared_, payload_, size, index == 0,
                                                 static_cast<std::uint64_t>(plan_.depth));
  if (is_datagram(shared_.target.kind))
    return std::make_unique<DatagramConnection>(shared_, payload_, start, size);
  if (short_lived_)
    return std::make_unique<ConnectionLives>(shared_, payload_, start, size);
  const auto stream = [&](Position from, std::unique_ptr<Checker> checker, Framing framing,
                          std::size_t step) {
    return std::make_unique<StreamConnection>(shared_, Outgoing(payload_, from), std::move(checker),
                                              framing, step);
  };
  if (plan_.pattern == "sink")
    return stream(start, receipt_checker(size), Framing::counted, size);
  if (plan_.pattern == "source")
    return stream(0, source_checker(payload_, size), Framing::request, size);
  if (plan_.pattern == "http")
    return stream(0, http_checker(plan_.expect), Framing::messages, plan_.request.size());
  // Every connection starts with a line's first byte.
  const Position from = plan_.pattern == "lines" ? 0 : start;
  const std::size_t step = std::max<std::size_t>(size, 1); // idle: any
  return stream(from, echo_checker(payload_, from, step), Framing::messages, step);
}

void Group::open_all() {
  progress_at_ = monotonic_ns();
  std::vector<bool> opened(members_.size());
  std::size_t begun = 0;
  std::size_t done = 0;
  const auto advance = [&](std::size_t index) {
    try {
      opened[index] = members_[index].connection->open();
      update(index);
    } catch (const LoadError& error) {
      rethrow(index, error);
    }
    done += opened[index];
  };
  while (done < members_.size()) {
    while (begun < members_.size() && begun - done < most_dials && retrying_ == 0)
      advance(begun++);
    if (done == members_.size())
      break;
    for (const epoll_event& event : wait(retrying_ ? retry_ns : INT64_MAX))
      if (const auto index = static_cast<std::size_t>(event.data.u64); !opened[index])
        advance(index);
    for (std::size_t index = 0; retrying_ != 0 && index < begun; ++index)
      if (members_[index].connection->must_retry()) {
        --retrying_;
        advance(index);
      }
  }
}

// Tells epoll what the connection waits for, where that changed.
void Group::update(std::size_t index) {
  Member& member = members_[index];
  const Connection& connection = *member.connection;
  if (connection.must_retry()) {
    // Not watched: epoll would report an unconnected socket as hung up, without end.
    ++retrying_;
    return;
  }
  if (connection.fd() < 0) {
    member.registered = false;
    return;
  }
  const bool known = member.registered && member.generation == connection.generation();
  const std::uint32_t events = EPOLLIN | (connection.wants_write() ? EPOLLOUT : 0U);
  if (!known)
    waiter_.add(connection.fd(), events, index);
  else if (events != member.events)
    waiter_.change(connection.fd(), events, index);
  member.registered = true;
  member.generation = connection.generation();
  member.events = events;
}

// Never longer than the stall timeout.
std::span<const epoll_event> Group::wait(std::int64_t at_most_ns) {
  const auto timeout = static_cast<std::int64_t>(plan_.timeout_s * 1e3 + 1) * 1'000'000;
  const auto events = waiter_.wait(std::min(at_most_ns, timeout));
  const std::int64_t now = monotonic_ns();
  if (shared_.progress != seen_progress_)
    progress_at_ = now;
  else if (now - progress_at_ >= timeout)
    throw LoadError(Failure::stalled, stall());
  seen_progress_ = shared_.progress;
  return events;
}

std::string Group::stall() const {
  const auto waits = [](const Member& member) {
    return member.in_flight > 0 || member.quota > 0 || !member.registered;
  };
  const auto first = std::find_if(members_.begin(), members_.end(), waits);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "no progress for %g s", plan_.timeout_s);
  if (first == members_.end())
    return text.data();
  const auto count = std::count_if(members_.begin(), members_.end(), waits);
  return std::string(text.data()) + ": " + std::to_string(count) + " of " +
         std::to_string(members_.size()) + " connections wait, connection " +
         std::to_string(first - members_.begin()) + " " + first->connection->where();
}

// Connections that no event will come for.
void Group::retry_all() {
  for (std::size_t index = 0; retrying_ != 0 && index < members_.size(); ++index)
    if (members_[index].connection->must_retry()) {
      --retrying_;
      (void)handle(index, 0);
    }
}

void Group::rethrow(std::size_t index, const std::exception& error) const {
  const auto* known = dynamic_cast<const LoadError*>(&error);
  throw LoadError(known ? known->kind() : Failure::lost,
                  "connection " + std::to_string(index) + ": " + error.what());
}

} // namespace loopgauge::bench
