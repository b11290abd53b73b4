// Native backends by name or path: loaded, checked and wrapped.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "loops/include/loopgauge_native.h"

namespace loopgauge::bench {

/// The backend cannot be used here; the message says why, and the cure.
class BackendUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A backend, or a work of it, did something else than the interface promises: its result is void.
class NativeFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct BackendInfo {
  std::string name;
  std::string path;    // what load_backend() takes
  std::string version; // empty where it is not available
  std::string reason;  // why it is not; empty where it is
};

/// The four that come with the harness, built or not. Loads those that are there.
std::vector<BackendInfo> known_backends();

/// One by name or path; of a library that cannot be loaded, the path is the name.
BackendInfo describe_backend(const std::string& name_or_path);

/// What the table of a backend lacks, null where it is complete: with signals or without.
const char* missing_member(const loopgauge_backend& table);

/// The table of a known backend, or of the shared library at a path (what contains a slash). The
/// library is never unloaded: others may hold its symbols. Throws BackendUnavailable.
const loopgauge_backend& load_backend(const std::string& name_or_path);

/// Throws NativeFailure unless a function of the table returned 0.
void require_done(int error, const char* function);

/// Owns one loop. Everything created on it is to be destroyed before.
class NativeLoop {
 public:
  /// Throws BackendUnavailable, NativeFailure.
  explicit NativeLoop(const std::string& name_or_path);
  explicit NativeLoop(const loopgauge_backend& backend);
  ~NativeLoop();
  NativeLoop(const NativeLoop&) = delete;
  NativeLoop& operator=(const NativeLoop&) = delete;

  const loopgauge_backend& table;

  [[nodiscard]] loopgauge_loop* get() const noexcept { return loop_; }

  /// Runs until stop(), or until somebody called interrupt(). Throws NativeFailure.
  void run();
  void stop() noexcept { table.stop(loop_); }
  void post(loopgauge_task& task) { require_done(table.post(loop_, &task), "post"); }
  void post_threadsafe(loopgauge_task& task) {
    require_done(table.post_threadsafe(loop_, &task), "post_threadsafe");
  }

  /// Ends the run from another thread. Once a run.
  void interrupt();

 private:
  loopgauge_loop* loop_;
  loopgauge_task interruption_{};
};

/// A timer, a watch: given back to their backend.
template <class Object>
class Owned {
 public:
  using Destroy = void (*)(Object*);
  Owned() noexcept = default;
  /// Throws NativeFailure for null, with errno.
  Owned(Object* object, Destroy destroy, const char* function);
  Owned(Owned&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), destroy_(other.destroy_) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  ~Owned() {
    if (object_ != nullptr)
      destroy_(object_);
  }
  [[nodiscard]] Object* get() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  void reset() noexcept { *this = Owned(); }

 private:
  Object* object_ = nullptr;
  Destroy destroy_ = nullptr;
};

using Timer = Owned<loopgauge_timer>;
using Watch = Owned<loopgauge_watch>;
using Signal = Owned<loopgauge_signal>;

/// `self`'s member function as a callback: on<&Chain::step>.
template <auto Member>
struct CallbackOf;
template <class Self, void (Self::*Member)()>
struct CallbackOf<Member> {
  static void call(void* self) { (static_cast<Self*>(self)->*Member)(); }
};
template <auto Member>
inline constexpr loopgauge_callback on = &CallbackOf<Member>::call;

} // namespace loopgauge::bench
