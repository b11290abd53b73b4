#include "tier/threads.hpp"

#include <atomic>
#include <semaphore>
#include <span>
#include <thread>
#include <vector>

namespace loopgauge::bench {
namespace {

// A thread that waits for its share of each run. Its owner joins it.
class Worker {
 public:
  template <class F>
  explicit Worker(F work)
      : thread_([this, work = std::move(work)] {
          while (true) {
            begin_.acquire();
            if (closing_)
              return;
            work(share_);
            ended_.release();
          }
        }) {}
  ~Worker() {
    closing_ = true;
    begin_.release();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void begin(std::int64_t share) {
    share_ = share;
    begin_.release();
  }
  void wait() { ended_.acquire(); }

 private:
  std::int64_t share_ = 0;
  bool closing_ = false; // published by begin_, as share_
  std::binary_semaphore begin_{0};
  std::binary_semaphore ended_{0};
  std::thread thread_; // last: it uses the others
};

class Producers final : public Work {
 public:
  Producers(NativeLoop& loop, std::size_t count) : loop_(loop) {
    for (std::size_t i = 0; i < count; ++i)
      members_.push_back(std::make_unique<Member>(*this));
  }

  std::int64_t run(std::int64_t n) override {
    const auto count = static_cast<std::int64_t>(members_.size());
    if (count == 0 || n < count || n % count != 0)
      throw NativeFailure(std::to_string(n) + " tasks cannot be shared by " +
                          std::to_string(count) + " threads");
    const std::int64_t share = n / count;
    ended_ = 0;
    for (const auto& member : members_)
      member->prepare(share);
    for (const auto& member : members_)
      member->worker.begin(share);
    loop_.run();
    for (const auto& member : members_)
      member->worker.wait();
    std::int64_t ran = 0;
    for (const auto& member : members_) {
      require_done(member->error, "post_threadsafe");
      if (member->wrong)
        throw NativeFailure("a thread's last task did not run after all its others");
      ran += member->ran;
    }
    return ran;
  }

 private:
  struct Member {
    explicit Member(Producers& made_by)
        : owner(made_by), worker([this](std::int64_t) { produce(); }) {}

    // Runs are timed from here on: nothing is to be done for every task.
    void prepare(std::int64_t share) {
      if (!tasks.empty())
        tasks[used - 1].run = on<&Member::count>;
      used = static_cast<std::size_t>(share);
      if (tasks.size() < used)
        tasks.resize(used, {on<&Member::count>, this, {}});
      tasks[used - 1].run = on<&Member::last>;
      ran = 0;
    }
    void produce() {
      for (loopgauge_task& task : std::span(tasks).first(used))
        error |= owner.loop_.table.post_threadsafe(owner.loop_.get(), &task);
    }
    void count() { ++ran; }
    void last() {
      ++ran;
      wrong = wrong || ran != static_cast<std::int64_t>(used);
      if (++owner.ended_ == owner.members_.size())
        owner.loop_.stop();
    }

    Producers& owner;
    std::vector<loopgauge_task> tasks;
    std::size_t used = 0;
    std::int64_t ran = 0;
    bool wrong = false;
    int error = 0;
    Worker worker; // last: it uses the others
  };

  NativeLoop& loop_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t ended_ = 0;
};

class Wakeup final : public Work {
 public:
  explicit Wakeup(NativeLoop& loop)
      : loop_(loop), answer_{on<&Wakeup::answer>, this, {}}, end_{on<&Wakeup::end>, this, {}},
        caller_([this](std::int64_t calls) { call(calls); }) {}

  std::int64_t run(std::int64_t n) override {
    answers_ = 0;
    caller_.begin(n);
    loop_.run();
    if (answers_ < n) { // the run was interrupted, or ended without reason
      giving_up_ = true;
      answered_.release();
    }
    caller_.wait();
    require_done(error_, "post_threadsafe");
    return answers_;
  }

 private:
  void call(std::int64_t calls) {
    for (std::int64_t i = 0; i < calls && error_ == 0 && !giving_up_; ++i) {
      error_ = loop_.table.post_threadsafe(loop_.get(), &answer_);
      if (error_ == 0)
        answered_.acquire();
    }
    error_ |= loop_.table.post_threadsafe(loop_.get(), &end_);
  }
  void answer() {
    ++answers_;
    answered_.release();
  }
  void end() { loop_.stop(); }

  NativeLoop& loop_;
  loopgauge_task answer_;
  loopgauge_task end_;
  std::counting_semaphore<> answered_{0};
  std::atomic<bool> giving_up_{false};
  std::int64_t answers_ = 0;
  int error_ = 0;
  Worker caller_; // last: it uses the others
};

} // namespace

std::unique_ptr<Work> producers(NativeLoop& loop, std::size_t count) {
  return std::make_unique<Producers>(loop, count);
}

std::unique_ptr<Work> wakeup(NativeLoop& loop) {
  return std::make_unique<Wakeup>(loop);
}

} // namespace loopgauge::bench
