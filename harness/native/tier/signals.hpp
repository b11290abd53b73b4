// Works of the signal family.
#pragma once

#include <memory>

#include "tier/backend.hpp"
#include "tier/work.hpp"

namespace loopgauge::bench {

/// The callback of each SIGUSR1 sends the next. Watched only while it runs, for other loops of the
/// process have handlers of their own. As signal.signal_roundtrip.
std::unique_ptr<Work> signal_roundtrip(NativeLoop& loop);

/// The same with no loop: the signal is blocked, and read from a signalfd that epoll watches.
std::unique_ptr<Work> signal_floor();

} // namespace loopgauge::bench
