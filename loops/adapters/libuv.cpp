// libuv behind the C interface, used as its documentation and uvloop use it.
//
// Handles are closed asynchronously: libuv keeps their memory until a later turn of the loop, or
// until destroy(), which runs such turns.
#include <algorithm>
#include <memory>
#include <uv.h>

#include "errors.hpp"
#include "tasks.hpp"

using loopgauge::adapters::created;
using loopgauge::adapters::guarded;

struct loopgauge_loop {
  uv_loop_t uv{};
  uv_async_t wakeup{};
  uv_idle_t idle{}; // active while tasks are queued: then libuv does not wait
  loopgauge::adapters::Tasks tasks;
  bool running = false;
};

struct loopgauge_timer {
  uv_timer_t handle{};
  loopgauge_callback run = nullptr;
  void* data = nullptr;
};

struct loopgauge_watch {
  uv_poll_t handle{};
  loopgauge_watch_callback run = nullptr;
  void* data = nullptr;
  int wanted = 0; // UV_READABLE, UV_WRITABLE
};

struct loopgauge_signal {
  uv_signal_t handle{};
  loopgauge_callback run = nullptr;
  void* data = nullptr;
};

namespace {

int error_of(int result) {
  return result < 0 ? -result : 0;
}

template <class Handle>
uv_handle_t* base(Handle& handle) {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

// Frees the object behind the handle when libuv has let go of it.
template <class Object>
void close(Object* object) {
  object->handle.data = object;
  uv_close(base(object->handle),
           [](uv_handle_t* handle) { delete static_cast<Object*>(handle->data); });
}

// An object whose handle could be initialised and started; frees it otherwise.
template <class Object>
Object* started(std::unique_ptr<Object> object, int initialised, int result) {
  if (initialised < 0) {
    errno = error_of(initialised);
    return nullptr;
  }
  Object* made = object.release();
  if (result < 0) {
    close(made);
    errno = error_of(result);
    return nullptr;
  }
  return made;
}

void on_idle(uv_idle_t* idle) {
  auto* loop = static_cast<loopgauge_loop*>(idle->data);
  loop->tasks.run_queued();
  if (loop->tasks.empty()) {
    (void)uv_idle_stop(idle); // never fails
  }
}

void on_wakeup(uv_async_t* wakeup) {
  auto* loop = static_cast<loopgauge_loop*>(wakeup->data);
  loop->tasks.take_posted();
  loop->tasks.run_queued();
  if (!loop->tasks.empty()) {
    (void)uv_idle_start(&loop->idle, &on_idle); // fails only for a null callback
  }
}

void destroy(loopgauge_loop* loop) {
  uv_close(base(loop->wakeup), nullptr);
  uv_close(base(loop->idle), nullptr);
  while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
  }
  (void)uv_loop_close(&loop->uv); // EBUSY: somebody has kept a handle, against the rules
  delete loop;
}

loopgauge_loop* create() {
  return created([]() -> loopgauge_loop* {
    auto loop = std::make_unique<loopgauge_loop>();
    int result = uv_loop_init(&loop->uv);
    if (result == 0) {
      result = uv_async_init(&loop->uv, &loop->wakeup, &on_wakeup);
      if (result < 0) {
        (void)uv_loop_close(&loop->uv);
      }
    }
    if (result < 0) {
      errno = error_of(result);
      return nullptr;
    }
    (void)uv_idle_init(&loop->uv, &loop->idle); // never fails
    loop->wakeup.data = loop->idle.data = loop.get();
    return loop.release();
  });
}

std::int64_t now(loopgauge_loop*) {
  return static_cast<std::int64_t>(uv_hrtime());
}

int run_mode(loopgauge_loop* loop, uv_run_mode mode) {
  loop->running = true;
  (void)uv_run(&loop->uv, mode); // whether handles are left, which is no error
  loop->running = false;
  return 0;
}

int run(loopgauge_loop* loop) {
  return run_mode(loop, UV_RUN_DEFAULT);
}

int poll(loopgauge_loop* loop, int wait) {
  return run_mode(loop, wait != 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void stop(loopgauge_loop* loop) {
  if (loop->running) { // uv_stop would end the next run
    uv_stop(&loop->uv);
  }
}

int post(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    if (loop->tasks.empty()) {
      (void)uv_idle_start(&loop->idle, &on_idle);
    }
    loop->tasks.push(task);
    return 0;
  });
}

int post_threadsafe(loopgauge_loop* loop, loopgauge_task* task) {
  return guarded([&] {
    loop->tasks.push_threadsafe(task);
    return error_of(uv_async_send(&loop->wakeup));
  });
}

loopgauge_timer* timer_create(loopgauge_loop* loop, loopgauge_callback run, void* data) {
  return created([&] {
    auto* timer = new loopgauge_timer{{}, run, data};
    (void)uv_timer_init(&loop->uv, &timer->handle); // never fails
    timer->handle.data = timer;
    return timer;
  });
}

// libuv counts in milliseconds, rounded down: a timer is due when the rounded clock has reached it.
int timer_arm(loopgauge_timer* timer, std::int64_t deadline) {
  const std::int64_t due = deadline / 1'000'000 + (deadline % 1'000'000 > 0 ? 1 : 0);
  const auto now = static_cast<std::int64_t>(uv_now(timer->handle.loop));
  const auto on_timer = [](uv_timer_t* handle) {
    auto* due_timer = static_cast<loopgauge_timer*>(handle->data);
    due_timer->run(due_timer->data);
  };
  const auto delay = static_cast<std::uint64_t>(std::max<std::int64_t>(due - now, 0));
  return error_of(uv_timer_start(&timer->handle, on_timer, delay, 0));
}

void timer_cancel(loopgauge_timer* timer) {
  (void)uv_timer_stop(&timer->handle); // never fails
}

void timer_destroy(loopgauge_timer* timer) {
  close(timer);
}

void on_events(uv_poll_t* handle, int status, int events) {
  auto* watch = static_cast<loopgauge_watch*>(handle->data);
  unsigned seen = ((events & UV_READABLE) != 0 ? LOOPGAUGE_READABLE : 0U) |
                  ((events & UV_WRITABLE) != 0 ? LOOPGAUGE_WRITABLE : 0U);
  if (status < 0) { // an error, after which libuv has stopped to look
    seen = LOOPGAUGE_READABLE | LOOPGAUGE_WRITABLE;
    (void)uv_poll_start(handle, watch->wanted, &on_events);
  }
  watch->run(watch->data, seen);
}

int rewatch(loopgauge_watch* watch, unsigned events) {
  if (events == 0) {
    return error_of(uv_poll_stop(&watch->handle));
  }
  watch->wanted = ((events & LOOPGAUGE_READABLE) != 0 ? UV_READABLE : 0) |
                  ((events & LOOPGAUGE_WRITABLE) != 0 ? UV_WRITABLE : 0);
  return error_of(uv_poll_start(&watch->handle, watch->wanted, &on_events));
}

loopgauge_watch* watch(loopgauge_loop* loop, int fd, unsigned events, loopgauge_watch_callback run,
                       void* data) {
  return created([&]() -> loopgauge_watch* {
    auto made = std::make_unique<loopgauge_watch>();
    made->run = run;
    made->data = data;
    const int initialised = uv_poll_init(&loop->uv, &made->handle, fd);
    made->handle.data = made.get();
    const int result = initialised < 0 ? 0 : -rewatch(made.get(), events);
    return started(std::move(made), initialised, result);
  });
}

void unwatch(loopgauge_watch* watch) {
  close(watch);
}

loopgauge_signal* signal_watch(loopgauge_loop* loop, int signum, loopgauge_callback run,
                               void* data) {
  return created([&]() -> loopgauge_signal* {
    auto made = std::make_unique<loopgauge_signal>();
    made->run = run;
    made->data = data;
    const int initialised = uv_signal_init(&loop->uv, &made->handle);
    made->handle.data = made.get();
    const auto on_signal = [](uv_signal_t* handle, int) {
      auto* watched = static_cast<loopgauge_signal*>(handle->data);
      watched->run(watched->data);
    };
    const int result = initialised < 0 ? 0 : uv_signal_start(&made->handle, on_signal, signum);
    return started(std::move(made), initialised, result);
  });
}

void signal_unwatch(loopgauge_signal* watched) {
  close(watched);
}

const loopgauge_backend backend{
    .size = sizeof(loopgauge_backend),
    .abi = LOOPGAUGE_NATIVE_ABI,
    .name = "libuv",
    .version = uv_version_string(),
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
