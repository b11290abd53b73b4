// The built-in core behind the C interface.
#include <memory>

#include "errors.hpp"
#include "loops/core/native_loop.hpp"
#include "loops/include/loopgauge_native.h"

using loopgauge::adapters::created;
using loopgauge::adapters::guarded;
using loopgauge::core::Callback;
using loopgauge::core::NativeLoop;

struct loopgauge_loop {
  NativeLoop core;
};

// `due` is set while the callback may run: a timer that has left the heap is queued, and a queued
// callback cannot be taken back cheaply.
struct loopgauge_timer {
  NativeLoop& core;
  loopgauge_callback run;
  void* data;
  Callback callback;
  bool due = false;
};

struct loopgauge_watch {
  NativeLoop& core;
  int fd;
  loopgauge_watch_callback run;
  void* data;
  unsigned events = 0;
  Callback reader;
  Callback writer;
};

struct loopgauge_signal {
  NativeLoop& core;
  int signum;
  Callback callback;
};

namespace {

static_assert(sizeof(Callback) <= sizeof(loopgauge_task::reserved));
static_assert(alignof(Callback) <= alignof(void*));

loopgauge_loop* create() {
  return created([] { return new loopgauge_loop; });
}

void destroy(loopgauge_loop* loop) {
  delete loop;
}

std::int64_t now(loopgauge_loop*) {
  return loopgauge::core::now_ns();
}

int run(loopgauge_loop* loop) {
  return guarded([&] { return loop->core.run(); });
}

int poll(loopgauge_loop* loop, int wait) {
  return guarded([&] { return loop->core.run_once(wait != 0); });
}

void stop(loopgauge_loop* loop) {
  loop->core.stop();
}

// The core's own view of a task lives in the task: nothing is allocated.
Callback& callback_of(loopgauge_task* task) {
  return *new (&task->reserved) Callback{task->run, task->data};
}

int post(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    loop->core.call_soon(callback_of(task));
    return 0;
  });
}

int post_threadsafe(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    loop->core.post(callback_of(task));
    return 0;
  });
}

void timer_due(void* data) {
  auto* timer = static_cast<loopgauge_timer*>(data);
  if (timer->due) {
    timer->due = false;
    timer->run(timer->data);
  }
}

loopgauge_timer* timer_create(loopgauge_loop* loop, loopgauge_callback run, void* data) {
  return created([&] {
    auto* timer = new loopgauge_timer{loop->core, run, data, {}};
    timer->callback = {&timer_due, timer};
    return timer;
  });
}

bool is_queued(const loopgauge_timer& timer) {
  return timer.due && timer.callback.timer_index == Callback::kNotScheduled;
}

int timer_arm(loopgauge_timer* timer, std::int64_t deadline) {
  return guarded([&] {
    if (is_queued(*timer)) {
      timer->core.forget(timer->callback); // or it would run now, for the old deadline
    }
    timer->core.call_at(deadline, timer->callback);
    timer->due = true;
    return 0;
  });
}

void timer_cancel(loopgauge_timer* timer) {
  if (is_queued(*timer)) {
    timer->core.forget(timer->callback);
  } else {
    timer->core.cancel_timer(timer->callback);
  }
  timer->due = false;
}

void timer_destroy(loopgauge_timer* timer) {
  timer_cancel(timer);
  delete timer;
}

void readable(void* data) {
  auto* watch = static_cast<loopgauge_watch*>(data);
  watch->run(watch->data, LOOPGAUGE_READABLE);
}

void writable(void* data) {
  auto* watch = static_cast<loopgauge_watch*>(data);
  watch->run(watch->data, LOOPGAUGE_WRITABLE);
}

int rewatch(loopgauge_watch* watch, unsigned events) {
  return guarded([&] {
    const unsigned changed = watch->events ^ events;
    int error = 0;
    if ((changed & LOOPGAUGE_READABLE) != 0) {
      Callback* wanted = (events & LOOPGAUGE_READABLE) != 0 ? &watch->reader : nullptr;
      error = watch->core.watch_read(watch->fd, wanted).error;
    }
    if (error == 0 && (changed & LOOPGAUGE_WRITABLE) != 0) {
      Callback* wanted = (events & LOOPGAUGE_WRITABLE) != 0 ? &watch->writer : nullptr;
      error = watch->core.watch_write(watch->fd, wanted).error;
    }
    if (error == 0) {
      watch->events = events;
    }
    return error;
  });
}

loopgauge_watch* watch(loopgauge_loop* loop, int fd, unsigned events, loopgauge_watch_callback run,
                       void* data) {
  return created([&]() -> loopgauge_watch* {
    auto watch = std::make_unique<loopgauge_watch>(loop->core, fd, run, data);
    watch->reader = {&readable, watch.get()};
    watch->writer = {&writable, watch.get()};
    const int error = rewatch(watch.get(), events);
    if (error != 0) {
      errno = error;
      return nullptr;
    }
    return watch.release();
  });
}

void unwatch(loopgauge_watch* watch) {
  (void)rewatch(watch, 0);
  delete watch;
}

loopgauge_signal* signal_watch(loopgauge_loop* loop, int signum, loopgauge_callback run,
                               void* data) {
  return created([&]() -> loopgauge_signal* {
    auto watched = std::make_unique<loopgauge_signal>(loop->core, signum, Callback{run, data});
    const int error = loop->core.watch_signal(signum, &watched->callback).error;
    if (error != 0) {
      errno = error;
      return nullptr;
    }
    return watched.release();
  });
}

void signal_unwatch(loopgauge_signal* watched) {
  (void)watched->core.watch_signal(watched->signum, nullptr);
  watched->core.forget(watched->callback);
  delete watched;
}

constexpr loopgauge_backend backend{
    .size = sizeof(loopgauge_backend),
    .abi = LOOPGAUGE_NATIVE_ABI,
    .name = "epoll",
    .version = LOOPGAUGE_VERSION,
    .create = &create,
    .destroy = &destroy,
    .now = &now,
    .run = &run,
    .poll = &poll,
    .stop = &stop,
    .post = &post,
    .post_threadsafe = &post_threadsafe,
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

} // namespace

const loopgauge_backend* LOOPGAUGE_NATIVE_ENTRY() {
  return &backend;
}
