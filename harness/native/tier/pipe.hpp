// Bytes through a pipe, written and read by one thread.
#pragma once

#include <memory>

#include "tier/backend.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

/// An operation is a MiB. As io.pipe_throughput: chunks of 64 KiB, every byte of the proof's and a
/// sample of the runs' compared.
std::unique_ptr<Work> pipe_throughput(NativeLoop& loop);

/// The same with no loop: write until the pipe is full, read until it is empty.
std::unique_ptr<Work> pipe_floor();

} // namespace loopgauge::bench
