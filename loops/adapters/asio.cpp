// Standalone Asio behind the C interface, with one thread per io_context (concurrency hint 1).
//
// What was cancelled still completes in a later turn, with operation_aborted, perhaps after its
// owner was destroyed here: so an operation under way holds a reference to its object.
#include <array>
#include <cerrno>
#include <memory>

#include <asio.hpp>

#include "errors.hpp"
#include "loops/include/loopgauge_native.h"

using loopgauge::adapters::created;
using loopgauge::adapters::guarded;

struct loopgauge_loop {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
};

namespace {

using asio::error_code;
using Clock = asio::steady_timer::clock_type;

// A reference count of one thread: std::shared_ptr would pay for atomic ones.
template <class Object>
class Ref {
 public:
  explicit Ref(Object* object) noexcept : object_(object) { ++object_->references; }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    if (object_ != nullptr) {
      drop(object_);
    }
  }
  Object* operator->() const noexcept { return object_; }

  static void drop(Object* object) {
    if (--object->references == 0) {
      delete object;
    }
  }

 private:
  Object* object_;
};

} // namespace

struct loopgauge_timer {
  asio::steady_timer handle;
  loopgauge_callback run;
  void* data;
  std::size_t references = 1;
  std::size_t armed = 0; // counts; 0: not armed
  std::size_t arms = 0;
};

struct loopgauge_watch {
  asio::posix::stream_descriptor handle;
  loopgauge_watch_callback run;
  void* data;
  std::size_t references = 1;
  unsigned events = 0;
  unsigned waiting = 0; // for these an operation is under way
};

struct loopgauge_signal {
  asio::signal_set handle;
  loopgauge_callback run;
  void* data;
  std::size_t references = 1;
  bool watching = true;
};

namespace {

loopgauge_loop* create() {
  return created([] { return new loopgauge_loop; });
}

void destroy(loopgauge_loop* loop) {
  delete loop;
}

std::int64_t now(loopgauge_loop*) {
  return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
}

int run(loopgauge_loop* loop) {
  return guarded([&] {
    loop->context.restart();
    (void)loop->context.run();
    return 0;
  });
}

int poll(loopgauge_loop* loop, int wait) {
  return guarded([&] {
    loop->context.restart();
    (void)(wait != 0 ? loop->context.run_one() : loop->context.poll_one());
    return 0;
  });
}

void stop(loopgauge_loop* loop) {
  loop->context.stop();
}

int post(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    asio::post(loop->context, [task] { task->run(task->data); });
    return 0;
  });
}

loopgauge_timer* timer_create(loopgauge_loop* loop, loopgauge_callback run, void* data) {
  return created([&] { return new loopgauge_timer{asio::steady_timer(loop->context), run, data}; });
}

int timer_arm(loopgauge_timer* timer, std::int64_t deadline) {
  return guarded([&] {
    timer->handle.expires_at(Clock::time_point(std::chrono::nanoseconds(deadline)));
    timer->armed = ++timer->arms;
    timer->handle.async_wait([self = Ref(timer), arm = timer->arms](const error_code& error) {
      if (!error && self->armed == arm) {
        self->armed = 0;
        self->run(self->data);
      }
    });
    return 0;
  });
}

void timer_cancel(loopgauge_timer* timer) {
  timer->armed = 0;
  (void)timer->handle.cancel(); // newer releases have no form that takes an error_code
}

void timer_destroy(loopgauge_timer* timer) {
  timer_cancel(timer);
  Ref<loopgauge_timer>::drop(timer);
}

void wait_for(loopgauge_watch* watch, unsigned event) {
  if ((watch->events & event) == 0 || (watch->waiting & event) != 0) {
    return;
  }
  watch->waiting |= event;
  const auto kind = event == LOOPGAUGE_READABLE ? asio::posix::stream_descriptor::wait_read
                                                : asio::posix::stream_descriptor::wait_write;
  watch->handle.async_wait(kind, [self = Ref(watch), event](const error_code& error) {
    self->waiting &= ~event;
    if (error == asio::error::operation_aborted) {
      return;
    }
    if ((self->events & event) != 0) {
      self->run(self->data, event);
    }
    wait_for(self.operator->(), event);
  });
}

int rewatch(loopgauge_watch* watch, unsigned events) {
  return guarded([&] {
    watch->events = events;
    wait_for(watch, LOOPGAUGE_READABLE);
    wait_for(watch, LOOPGAUGE_WRITABLE);
    return 0;
  });
}

void unwatch(loopgauge_watch* watch) {
  watch->events = 0;
  if (watch->handle.is_open()) {
    (void)watch->handle.release(); // cancels, and leaves the descriptor to its owner
  }
  Ref<loopgauge_watch>::drop(watch);
}

loopgauge_watch* watch(loopgauge_loop* loop, int fd, unsigned events, loopgauge_watch_callback run,
                       void* data) {
  return created([&]() -> loopgauge_watch* {
    asio::posix::stream_descriptor handle(loop->context);
    error_code error;
    handle.assign(fd, error);
    if (error) {
      errno = error.value();
      return nullptr;
    }
    auto* made = new loopgauge_watch{std::move(handle), run, data};
    const int failure = rewatch(made, events);
    if (failure != 0) {
      unwatch(made);
      errno = failure;
      return nullptr;
    }
    return made;
  });
}

void wait_for_signal(loopgauge_signal* watched) {
  watched->handle.async_wait([self = Ref(watched)](const error_code& error, int) {
    if (error || !self->watching) {
      return;
    }
    self->run(self->data);
    if (self->watching) {
      wait_for_signal(self.operator->());
    }
  });
}

loopgauge_signal* signal_watch(loopgauge_loop* loop, int signum, loopgauge_callback run,
                               void* data) {
  return created([&]() -> loopgauge_signal* {
    // A signal_set can be neither copied nor moved.
    std::unique_ptr<loopgauge_signal> made(
        new loopgauge_signal{asio::signal_set(loop->context), run, data});
    error_code error;
    made->handle.add(signum, error);
    if (error) {
      errno = error.value();
      return nullptr;
    }
    wait_for_signal(made.get());
    return made.release();
  });
}

void signal_unwatch(loopgauge_signal* watched) {
  watched->watching = false;
  error_code ignored;
  watched->handle.cancel(ignored); // or the wait would hold what holds it for ever
  watched->handle.clear(ignored);  // restores the disposition
  Ref<loopgauge_signal>::drop(watched);
}

constexpr std::array<int, 3> parts{ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000,
                                   ASIO_VERSION % 100};

const char* version() {
  static const std::string text =
      std::to_string(parts[0]) + "." + std::to_string(parts[1]) + "." + std::to_string(parts[2]);
  return text.c_str();
}

} // namespace

const loopgauge_backend* LOOPGAUGE_NATIVE_ENTRY() {
  static const loopgauge_backend backend{
      .size = sizeof(loopgauge_backend),
      .abi = LOOPGAUGE_NATIVE_ABI,
      .name = "asio",
      .version = version(),
      .create = &create,
      .destroy = &destroy,
      .now = &now,
      .run = &run,
      .poll = &poll,
      .stop = &stop,
      .post = &post,
      .post_threadsafe = &post, // Asio's own post may be called from any thread
      .timer_create = &timer_create,
      .timer_arm = &timer_arm,
      .timer_cancel = &timer_cancel,
      .timer_destroy = &timer_destroy,
      .watch = &watch,
      .rewatch = &rewatch,
      .unwatch = &unwatch,
      .signal_watch = &signal_watch,
      .signal_unwatch = &signal_unwatch,
  };
  return &backend;
}
