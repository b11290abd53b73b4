#include "tier/backend.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>

namespace loopgauge::bench {
namespace {

struct Known {
  const char* name;
  const char* package; // Debian's, without which it is not built; null: always built
};
constexpr std::array known{Known{"epoll", nullptr}, Known{"libuv", "libuv1-dev"},
                           Known{"libevent", "libevent-dev"}, Known{"asio", "libasio-dev"}};

// The libraries lie beside the module that this code is linked into.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr)
    throw BackendUnavailable("cannot find out where the native backends are");
  return std::filesystem::path(info.dli_fname).parent_path();
}

const loopgauge_backend& open_library(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw BackendUnavailable(::dlerror());
  const auto entry =
      reinterpret_cast<loopgauge_native_entry>(::dlsym(library, "loopgauge_native_backend"));
  if (entry == nullptr)
    throw BackendUnavailable(path + " is no native backend: it has no loopgauge_native_backend()");
  const loopgauge_backend* table = entry();
  if (table == nullptr)
    throw BackendUnavailable(path + ": loopgauge_native_backend() returned no table");
  if (table->abi != LOOPGAUGE_NATIVE_ABI)
    throw BackendUnavailable(path + " was compiled for version " + std::to_string(table->abi) +
                             " of loopgauge_native.h, this is version " +
                             std::to_string(LOOPGAUGE_NATIVE_ABI) + "; rebuild it");
  if (table->size < sizeof(loopgauge_backend))
    throw BackendUnavailable(path + " was compiled with an older loopgauge_native.h; rebuild it");
  if (const char* missing = missing_member(*table))
    throw BackendUnavailable(path + ": its table has no " + missing);
  return *table;
}

} // namespace

const char* missing_member(const loopgauge_backend& table) {
  const std::array<std::pair<const char*, bool>, 19> members{{
      {"name", table.name != nullptr},
      {"version", table.version != nullptr},
      {"create", table.create != nullptr},
      {"destroy", table.destroy != nullptr},
      {"now", table.now != nullptr},
      {"run", table.run != nullptr},
      {"poll", table.poll != nullptr},
      {"stop", table.stop != nullptr},
      {"post", table.post != nullptr},
      {"post_threadsafe", table.post_threadsafe != nullptr},
      {"timer_create", table.timer_create != nullptr},
      {"timer_arm", table.timer_arm != nullptr},
      {"timer_cancel", table.timer_cancel != nullptr},
      {"timer_destroy", table.timer_destroy != nullptr},
      {"watch", table.watch != nullptr},
      {"rewatch", table.rewatch != nullptr},
      {"unwatch", table.unwatch != nullptr},
      {"signal_watch", table.signal_watch != nullptr || table.signal_unwatch == nullptr},
      {"signal_unwatch", table.signal_unwatch != nullptr || table.signal_watch == nullptr},
  }};
  for (const auto& [name, is_there] : members)
    if (!is_there)
      return name;
  return nullptr;
}

const loopgauge_backend& load_backend(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos)
    return open_library(name_or_path);
  for (const Known& candidate : known) {
    if (name_or_path != candidate.name)
      continue;
    const auto path = own_folder() / ("libloopgauge_native_" + name_or_path + ".so");
    if (candidate.package != nullptr && !std::filesystem::exists(path))
      throw BackendUnavailable("built without " + name_or_path + " (install " + candidate.package +
                               " and rebuild)");
    return open_library(path);
  }
  throw BackendUnavailable("there is no native backend " + name_or_path);
}

std::vector<BackendInfo> known_backends() {
  std::vector<BackendInfo> found;
  for (const Known& candidate : known)
    found.push_back(describe_backend(candidate.name));
  return found;
}

BackendInfo describe_backend(const std::string& name_or_path) {
  try {
    const loopgauge_backend& table = load_backend(name_or_path);
    return {table.name, name_or_path, table.version, ""};
  } catch (const BackendUnavailable& error) {
    return {name_or_path, name_or_path, "", error.what()};
  }
}

void require_done(int error, const char* function) {
  if (error != 0)
    throw NativeFailure(std::string(function) + "() failed: " + std::strerror(error));
}

NativeLoop::NativeLoop(const std::string& name_or_path) : NativeLoop(load_backend(name_or_path)) {}

NativeLoop::NativeLoop(const loopgauge_backend& backend) : table(backend), loop_(table.create()) {
  if (loop_ == nullptr)
    throw NativeFailure(std::string("create() failed: ") + std::strerror(errno));
  interruption_.data = this;
  interruption_.run = [](void* self) { static_cast<NativeLoop*>(self)->stop(); };
}

NativeLoop::~NativeLoop() {
  table.destroy(loop_);
}

void NativeLoop::run() {
  require_done(table.run(loop_), "run");
}

void NativeLoop::interrupt() {
  post_threadsafe(interruption_);
}

template <class Object>
Owned<Object>::Owned(Object* object, Destroy destroy, const char* function)
    : object_(object), destroy_(destroy) {
  if (object == nullptr)
    throw NativeFailure(std::string(function) + "() failed: " + std::strerror(errno));
}

template class Owned<loopgauge_timer>;
template class Owned<loopgauge_watch>;
template class Owned<loopgauge_signal>;

} // namespace loopgauge::bench
