// Talks to callgrind, if this process runs under it; otherwise every request is a no-op of a few
// instructions.
//
// The code sequence and the request numbers are valgrind's client-request interface (valgrind.h,
// callgrind.h), which never changes, because old programs must run under new valgrinds. Only what
// is used here is repeated, so that a build needs no valgrind installed.
#pragma once

#include <cstdint>

namespace loopgauge::bench::callgrind {

#if defined(__x86_64__) && defined(__linux__)

inline std::uintptr_t request(std::uintptr_t number, std::uintptr_t argument = 0) noexcept {
  volatile std::uintptr_t words[6] = {number, argument, 0, 0, 0, 0};
  volatile std::uintptr_t result = 0;
  __asm__ volatile("rolq $3,  %%rdi ; rolq $13, %%rdi\n\t"
                   "rolq $61, %%rdi ; rolq $51, %%rdi\n\t"
                   "xchgq %%rbx, %%rbx"
                   : "=d"(result)
                   : "a"(&words[0]), "0"(std::uintptr_t{0})
                   : "cc", "memory");
  return result;
}

#elif defined(__aarch64__) && defined(__linux__)

inline std::uintptr_t request(std::uintptr_t number, std::uintptr_t argument = 0) noexcept {
  volatile std::uintptr_t words[6] = {number, argument, 0, 0, 0, 0};
  volatile std::uintptr_t result = 0;
  __asm__ volatile("mov x3, %1\n\t"
                   "mov x4, %2\n\t"
                   "ror x12, x12, #3  ; ror x12, x12, #13\n\t"
                   "ror x12, x12, #51 ; ror x12, x12, #61\n\t"
                   "orr x10, x10, x10\n\t"
                   "mov %0, x3"
                   : "=r"(result)
                   : "r"(std::uintptr_t{0}), "r"(&words[0])
                   : "cc", "memory", "x3", "x4");
  return result;
}

#else

inline std::uintptr_t request(std::uintptr_t, std::uintptr_t = 0) noexcept {
  return 0;
}

#endif

// 'C', 'T' in the upper half: the tool's own requests.
inline constexpr std::uintptr_t tool_base = std::uintptr_t{'C'} << 24 | std::uintptr_t{'T'} << 16;

// Whether the process runs under valgrind (whatever tool).
inline bool present() noexcept {
  return request(0x1001) != 0;
}

// Sets all counts to zero.
inline void zero() noexcept {
  request(tool_base + 1);
}

// Writes the counts since the last zero or dump to the next file; `trigger` becomes a line in it.
inline void dump(const char* trigger) noexcept {
  request(tool_base + 3, reinterpret_cast<std::uintptr_t>(trigger));
}

// Counting on and off. Off, code runs ten times as fast; each change throws translated code away.
inline void start() noexcept {
  request(tool_base + 4);
}
inline void stop() noexcept {
  request(tool_base + 5);
}

} // namespace loopgauge::bench::callgrind
