// Works in which other threads queue tasks.
#pragma once

#include <memory>

#include "tier/backend.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

/// `producers` threads share the operations and queue them while the loop runs; the last task of
/// each finds that all its others have run. As throughput.call_soon_threadsafe.
std::unique_ptr<Work> producers(NativeLoop& loop, std::size_t producers);

/// A thread wakes the sleeping loop and waits until its task has run. As
/// throughput.threadsafe_wakeup.
std::unique_ptr<Work> wakeup(NativeLoop& loop);

} // namespace loopgauge::bench
