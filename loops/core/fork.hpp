// Knowing, without a system call, that this process is a forked copy.
#pragma once

#include <cstdint>

namespace loopgauge::core {

/// A number that differs between a process and its forked children: what was opened under another
/// one is shared with a parent. Counted from the first call on, by pthread_atfork; getpid() would
/// be a system call per question since glibc 2.25. vfork, posix_spawn and a raw clone do not count;
/// their children only exec.
std::uint32_t fork_generation() noexcept;

} // namespace loopgauge::core
