// Works of the throughput family: callbacks that are queued and run, without I/O.
#pragma once

#include <memory>
#include <vector>

#include "tier/backend.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

/// One task queues itself again. As throughput.call_soon_chain.
std::unique_ptr<Work> chain(NativeLoop& loop);

/// `size` tasks are queued in one turn and run in the next; the last of them finds that all others
/// have run, and queues the next batch. As throughput.call_soon_batch, and with `threadsafe` as
/// throughput.call_soon_threadsafe with producers=0.
std::unique_ptr<Work> batches(NativeLoop& loop, std::size_t size, bool threadsafe);

/// Runs of one turn, which stops the loop, while `fds` descriptors are watched that are never
/// readable. As throughput.idle_turns.
std::unique_ptr<Work> idle_turns(NativeLoop& loop, std::size_t fds);

} // namespace loopgauge::bench
