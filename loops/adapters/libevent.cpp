// libevent behind the C interface, without its thread support, which would put a lock around every
// call: other threads wake the loop through an eventfd, as they do in programs that use libevent
// on one thread per loop.
#include <algorithm>
#include <event2/event.h>
#include <memory>

#include "errors.hpp"
#include "loops/core/clock.hpp"
#include "loops/core/fd.hpp"
#include "loops/core/syscall.hpp"
#include "tasks.hpp"

using loopgauge::adapters::created;
using loopgauge::adapters::guarded;

namespace {

struct FreeEvent {
  void operator()(event* made) const { event_free(made); }
};
using Event = std::unique_ptr<event, FreeEvent>;

struct FreeBase {
  void operator()(event_base* base) const { event_base_free(base); }
};

} // namespace

struct loopgauge_loop {
  std::unique_ptr<event_base, FreeBase> base;
  loopgauge::core::UniqueFd wakeup_fd;
  Event wakeup;
  Event turn; // pending while tasks are queued
  loopgauge::adapters::Tasks tasks;
};

struct loopgauge_timer {
  Event handle;
  loopgauge_callback run;
  void* data;
};

struct loopgauge_watch {
  Event handle;
  loopgauge_loop* loop;
  int fd;
  loopgauge_watch_callback run;
  void* data;
};

struct loopgauge_signal {
  Event handle;
  loopgauge_callback run;
  void* data;
};

namespace {

// A timer of zero seconds, because event_active() inside a callback runs its event before the
// descriptors are looked at again: a callback that queues itself would be all that ever runs.
void schedule_turn(loopgauge_loop* loop) {
  const timeval soon{};
  (void)event_add(loop->turn.get(), &soon);
}

void run_queued(loopgauge_loop* loop) {
  loop->tasks.run_queued();
  if (!loop->tasks.empty()) {
    schedule_turn(loop);
  }
}

void on_turn(int, short, void* data) {
  run_queued(static_cast<loopgauge_loop*>(data));
}

// Edge-triggered, so that the counter need not be read.
void on_wakeup(int, short, void* data) {
  auto* loop = static_cast<loopgauge_loop*>(data);
  loop->tasks.take_posted();
  run_queued(loop);
}

struct FreeConfig {
  void operator()(event_config* config) const { event_config_free(config); }
};

event_base* new_base() {
  // What fails is told by the interface; libevent would print it besides.
  event_set_log_callback([](int, const char*) {});
  const std::unique_ptr<event_config, FreeConfig> config(event_config_new());
  if (!config) {
    return nullptr;
  }
  // By default the clock ticks in steps of up to 4 ms and epoll waits in whole milliseconds. A
  // cached time would make a timer early that is armed late in a long turn.
  (void)event_config_set_flag(config.get(),
                              EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NO_CACHE_TIME);
  return event_base_new_with_config(config.get());
}

loopgauge_loop* create() {
  return created([]() -> loopgauge_loop* {
    auto loop = std::make_unique<loopgauge_loop>();
    const auto fd = loopgauge::core::sys::eventfd();
    if (!fd.ok()) {
      errno = fd.error;
      return nullptr;
    }
    loop->wakeup_fd.reset(fd.value);
    loop->base.reset(new_base());
    if (loop->base) {
      loop->wakeup.reset(event_new(loop->base.get(), fd.value, EV_READ | EV_PERSIST | EV_ET,
                                   &on_wakeup, loop.get()));
      loop->turn.reset(event_new(loop->base.get(), -1, 0, &on_turn, loop.get()));
    }
    if (!loop->wakeup || !loop->turn || event_add(loop->wakeup.get(), nullptr) < 0) {
      errno = ENOMEM;
      return nullptr;
    }
    return loop.release();
  });
}

void destroy(loopgauge_loop* loop) {
  delete loop;
}

std::int64_t now(loopgauge_loop*) {
  return loopgauge::core::now_ns();
}

int run_with(loopgauge_loop* loop, int flags) {
  return event_base_loop(loop->base.get(), flags | EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? EIO : 0;
}

int run(loopgauge_loop* loop) {
  return run_with(loop, 0);
}

int poll(loopgauge_loop* loop, int wait) {
  return run_with(loop, wait != 0 ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
}

void stop(loopgauge_loop* loop) {
  (void)event_base_loopbreak(loop->base.get());
}

int post(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    if (loop->tasks.empty()) {
      schedule_turn(loop);
    }
    loop->tasks.push(task);
    return 0;
  });
}

int post_threadsafe(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    loop->tasks.push_threadsafe(task);
    const std::uint64_t one = 1;
    return loopgauge::core::sys::write(loop->wakeup_fd.get(), &one, sizeof one).error;
  });
}

void on_timer(int, short, void* data) {
  auto* timer = static_cast<loopgauge_timer*>(data);
  timer->run(timer->data);
}

loopgauge_timer* timer_create(loopgauge_loop* loop, loopgauge_callback run, void* data) {
  return created([&]() -> loopgauge_timer* {
    auto timer = std::make_unique<loopgauge_timer>(nullptr, run, data);
    timer->handle.reset(event_new(loop->base.get(), -1, 0, &on_timer, timer.get()));
    if (!timer->handle) {
      errno = ENOMEM;
      return nullptr;
    }
    return timer.release();
  });
}

// libevent takes a delay in microseconds and adds it to a clock that it has rounded down to one.
int timer_arm(loopgauge_timer* timer, std::int64_t deadline) {
  const std::int64_t delay = std::max<std::int64_t>(deadline - loopgauge::core::now_ns(), 0);
  const std::int64_t micros = delay / 1000 + 2;
  const timeval relative{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
  return event_add(timer->handle.get(), &relative) < 0 ? ENOMEM : 0;
}

void timer_cancel(loopgauge_timer* timer) {
  (void)event_del(timer->handle.get());
}

void timer_destroy(loopgauge_timer* timer) {
  delete timer;
}

void on_events(int, short events, void* data) {
  auto* watch = static_cast<loopgauge_watch*>(data);
  watch->run(watch->data, ((events & EV_READ) != 0 ? LOOPGAUGE_READABLE : 0U) |
                              ((events & EV_WRITE) != 0 ? LOOPGAUGE_WRITABLE : 0U));
}

int rewatch(loopgauge_watch* watch, unsigned events) {
  const int wanted = ((events & LOOPGAUGE_READABLE) != 0 ? EV_READ : 0) |
                     ((events & LOOPGAUGE_WRITABLE) != 0 ? EV_WRITE : 0) | EV_PERSIST;
  event* handle = watch->handle.get();
  (void)event_del(handle); // an event that is pending cannot be changed
  if (event_assign(handle, watch->loop->base.get(), watch->fd, static_cast<short>(wanted),
                   &on_events, watch) < 0) {
    return EINVAL;
  }
  return events != 0 && event_add(handle, nullptr) < 0 ? EBADF : 0;
}

loopgauge_watch* watch(loopgauge_loop* loop, int fd, unsigned events, loopgauge_watch_callback run,
                       void* data) {
  return created([&]() -> loopgauge_watch* {
    auto made = std::make_unique<loopgauge_watch>(nullptr, loop, fd, run, data);
    made->handle.reset(event_new(loop->base.get(), fd, EV_PERSIST, &on_events, made.get()));
    const int error = made->handle ? rewatch(made.get(), events) : ENOMEM;
    if (error != 0) {
      errno = error;
      return nullptr;
    }
    return made.release();
  });
}

void unwatch(loopgauge_watch* watch) {
  delete watch;
}

loopgauge_signal* signal_watch(loopgauge_loop* loop, int signum, loopgauge_callback run,
                               void* data) {
  return created([&]() -> loopgauge_signal* {
    auto made = std::make_unique<loopgauge_signal>(nullptr, run, data);
    const auto on_signal = [](int, short, void* self) {
      auto* watched = static_cast<loopgauge_signal*>(self);
      watched->run(watched->data);
    };
    made->handle.reset(
        event_new(loop->base.get(), signum, EV_SIGNAL | EV_PERSIST, on_signal, made.get()));
    if (!made->handle || event_add(made->handle.get(), nullptr) < 0) {
      errno = EINVAL;
      return nullptr;
    }
    return made.release();
  });
}

void signal_unwatch(loopgauge_signal* watched) {
  delete watched;
}

const loopgauge_backend backend{
    .size = sizeof(loopgauge_backend),
    .abi = LOOPGAUGE_NATIVE_ABI,
    .name = "libevent",
    .version = event_get_version(),
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
