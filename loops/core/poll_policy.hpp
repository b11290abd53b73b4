// When a turn that has work to do also asks the kernel for events.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loopgauge::core {

/// epoll_wait costs 150-300 ns, as much as the rest of a short turn, and stock asyncio and uvloop
/// pay it in every turn. Without a watched descriptor there is nothing to see (threads wake the
/// loop through Wakeup). With some, one poll in two turns is enough, as long as turns are short: a
/// descriptor is seen at most one turn later than with a poll in each, or 20 us and the turn in
/// progress.
struct PollPolicy {
  static constexpr unsigned kMaxTurns = 2;
  static constexpr std::int64_t kMaxAgeNs = 20'000;

  /// Descriptors whose readiness must be noticed while the loop is busy.
  std::size_t watched = 0;
  /// Poll in every turn. For deterministic runs: otherwise a clock decides which path is taken.
  bool every_turn = false;
  /// Let the number of turns alone decide, which is what happens while turns are short. For
  /// counting instructions and system calls, where whatever counts makes every turn long.
  bool by_turns = false;

  /// The next turn polls: nobody knows how long ago the last run ended.
  void begin_run() noexcept { due_ = true; }
  /// A descriptor was registered or removed: the next turn polls.
  void touch() noexcept { due_ = true; }

  /// Asked once in each turn that has work. `now` is called only when nothing cheaper decides.
  template <class Clock>
  bool must_poll(bool stopping, Clock&& now) noexcept {
    if (every_turn) {
      return true;
    }
    if (watched == 0) {
      return false;
    }
    return stopping || due_ || ++turns_ >= kMaxTurns ||
           (!by_turns && now() - last_ns_ >= kMaxAgeNs);
  }

  void polled(std::int64_t now) noexcept {
    due_ = false;
    turns_ = 0;
    last_ns_ = now;
  }

 private:
  bool due_ = true;
  unsigned turns_ = 0; // since the last poll
  std::int64_t last_ns_ = 0;
};

} // namespace loopgauge::core
