// Knowing, without a system call, that this process is a forked copy.
#pragma once

#include <cstdint>

namespace loopgauge::core {

/// Number of fork()s between the first call of this function's program and this process. What was
/// opened under another number is shared with a parent. getpid() would be a system call per
/// question since glibc 2.25. vfork, posix_spawn and a raw clone do not count; their children only
/// exec.
std::uint32_t fork_generation() noexcept;

} // namespace loopgauge::core
