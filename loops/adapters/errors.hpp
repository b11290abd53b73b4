// What all adapters need: no exception crosses the C interface.
#pragma once

#include <cerrno>
#include <new>
#include <system_error>

namespace loopgauge::adapters {

/// The errno value for the exception that is being handled.
inline int current_error() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  } catch (const std::system_error& error) {
    return error.code().value();
  } catch (...) {
    return EIO;
  }
}

/// Calls `work`, which returns 0 or an errno value.
template <class Work>
int guarded(Work&& work) noexcept {
  try {
    return work();
  } catch (...) {
    return current_error();
  }
}

/// Calls `work`, which returns a pointer, or null with errno set.
template <class Work>
auto created(Work&& work) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    errno = current_error();
    return nullptr;
  }
}

} // namespace loopgauge::adapters
