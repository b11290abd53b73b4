#include "tier/scheduling.hpp"

#include <array>

#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"

namespace loopgauge::bench {
namespace {

class Chain final : public Work {
 public:
  explicit Chain(NativeLoop& loop) : loop_(loop), task_{on<&Chain::step>, this, {}} {}

  std::int64_t run(std::int64_t n) override {
    left_ = n;
    loop_.post(task_);
    loop_.run();
    return n - left_;
  }

 private:
  void step() {
    if (--left_ > 0)
      (void)loop_.table.post(loop_.get(), &task_); // that it failed shows in the count
    else
      loop_.stop();
  }

  NativeLoop& loop_;
  loopgauge_task task_;
  std::int64_t left_ = 0;
};

class Batches final : public Work {
 public:
  Batches(NativeLoop& loop, std::size_t size, bool threadsafe)
      : loop_(loop), post_(threadsafe ? loop.table.post_threadsafe : loop.table.post),
        tasks_(size, loopgauge_task{on<&Batches::count>, this, {}}) {
    tasks_.back().run = on<&Batches::last>;
  }

  std::int64_t run(std::int64_t n) override {
    n_ = n;
    ran_ = 0;
    fill();
    loop_.run();
    if (wrong_ != 0)
      throw NativeFailure(std::to_string(wrong_) + " batches were incomplete at their last task");
    return ran_;
  }

 private:
  void fill() {
    for (loopgauge_task& task : tasks_)
      (void)post_(loop_.get(), &task);
  }
  void count() { ++ran_; }
  void last() {
    ++ran_;
    wrong_ += ran_ % static_cast<std::int64_t>(tasks_.size()) != 0;
    if (ran_ < n_)
      fill();
    else
      loop_.stop();
  }

  NativeLoop& loop_;
  int (*post_)(loopgauge_loop*, loopgauge_task*);
  std::vector<loopgauge_task> tasks_;
  std::int64_t n_ = 0;
  std::int64_t ran_ = 0;
  std::int64_t wrong_ = 0;
};

class IdleTurns final : public Work {
 public:
  IdleTurns(NativeLoop& loop, std::size_t fds)
      : loop_(loop), task_{on<&IdleTurns::stop>, this, {}} {
    for (std::size_t i = 0; i < fds; ++i) {
      const auto pair = core::sys::socketpair();
      require_done(pair.error, "socketpair");
      for (const int fd : pair.value)
        sockets_.emplace_back(fd);
      watches_.emplace_back(
          loop.table.watch(loop.get(), pair.value[0], LOOPGAUGE_READABLE, &IdleTurns::woken, this),
          loop.table.unwatch, "watch");
    }
  }

  std::int64_t run(std::int64_t n) override {
    stops_ = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      loop_.post(task_);
      loop_.run();
    }
    if (woken_ != 0)
      throw NativeFailure("a descriptor that is not readable was reported");
    return stops_;
  }

 private:
  void stop() {
    ++stops_;
    loop_.stop();
  }
  static void woken(void* self, unsigned) { ++static_cast<IdleTurns*>(self)->woken_; }

  NativeLoop& loop_;
  loopgauge_task task_;
  std::vector<core::UniqueFd> sockets_;
  std::vector<Watch> watches_; // ends before the sockets
  std::int64_t stops_ = 0;
  std::int64_t woken_ = 0;
};

} // namespace

std::unique_ptr<Work> chain(NativeLoop& loop) {
  return std::make_unique<Chain>(loop);
}

std::unique_ptr<Work> batches(NativeLoop& loop, std::size_t size, bool threadsafe) {
  return std::make_unique<Batches>(loop, size, threadsafe);
}

std::unique_ptr<Work> idle_turns(NativeLoop& loop, std::size_t fds) {
  return std::make_unique<IdleTurns>(loop, fds);
}

} // namespace loopgauge::bench
