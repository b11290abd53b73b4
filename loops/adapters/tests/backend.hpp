// What the tests of the backends share: each runs on every backend that was built.
#pragma once

#include <array>
#include <cstdint>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "loops/include/loopgauge_native.h"

namespace loopgauge::adapters {

inline constexpr std::int64_t ms = 1'000'000;

inline const loopgauge_backend* load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return nullptr;
  const auto entry =
      reinterpret_cast<loopgauge_native_entry>(::dlsym(library, "loopgauge_native_backend"));
  return entry != nullptr ? entry() : nullptr;
}

inline std::vector<std::string> paths() {
  std::vector<std::string> found;
  std::istringstream words(LOOPGAUGE_BACKEND_PATHS);
  for (std::string path; std::getline(words, path, ':');)
    found.push_back(path);
  return found;
}

class Backend : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    table = load(GetParam());
    ASSERT_NE(table, nullptr) << ::dlerror();
    loop = table->create();
    ASSERT_NE(loop, nullptr);
    // A test that waits for what never comes ends the process instead of hanging.
    ::alarm(60);
  }
  void TearDown() override {
    ::alarm(0);
    if (loop != nullptr)
      table->destroy(loop);
  }

  void run() { ASSERT_EQ(table->run(loop), 0); }
  void stop() { table->stop(loop); }

  const loopgauge_backend* table = nullptr;
  loopgauge_loop* loop = nullptr;
};

// A callback from a lambda, which must outlive its use.
template <class F>
loopgauge_task task_of(F& f) {
  return {[](void* data) { (*static_cast<F*>(data))(); }, &f, {}};
}
template <class F>
loopgauge_callback callback_of(F&) {
  return [](void* data) { (*static_cast<F*>(data))(); };
}
template <class F>
loopgauge_watch_callback watch_callback_of(F&) {
  return [](void* data, unsigned events) { (*static_cast<F*>(data))(events); };
}

struct SocketPair {
  std::array<int, 2> fd{-1, -1};
  SocketPair() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd.data()), 0);
  }
  ~SocketPair() {
    for (const int each : fd)
      ::close(each);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  void write() const { ASSERT_EQ(::write(fd[1], "x", 1), 1); }
  void read() const {
    char byte = 0;
    ASSERT_EQ(::read(fd[0], &byte, 1), 1);
  }
};

inline std::string name_of(const testing::TestParamInfo<std::string>& info) {
  const std::size_t start = info.param.rfind("native_") + 7;
  return info.param.substr(start, info.param.rfind(".so") - start);
}

} // namespace loopgauge::adapters
