/* A native event loop, as loopgauge measures it: one table of functions, in plain C11.
 *
 * A backend is a shared library that exports LOOPGAUGE_NATIVE_ENTRY, a function that returns its
 * table. `bench run --tier native --native ./libmine.so` measures it beside the built-in core,
 * libuv, libevent and Asio; loops/adapters/ has those four as examples of 100 to 250 lines.
 *
 * Threads: a loop belongs to the thread that runs it. Of its functions only post_threadsafe() may
 *   be called from any thread, at any time between create() and destroy().
 * Ownership: what a function of the table creates is given back to its destroy() before the loop is
 *   destroyed. Each destroy function may be called inside any callback, also that of the object
 *   itself, and after it none of its callbacks runs any more. A loopgauge_task is the caller's.
 * Errors: functions that return int return 0, or an errno value. Those that return a pointer return
 *   NULL, and say why in errno.
 * Units: nanoseconds of CLOCK_MONOTONIC.
 * Callbacks run on the thread that is in run() or poll(), one at a time, and may call any function
 *   but destroy(), run() and poll(). They do not throw.
 */
#ifndef LOOPGAUGE_NATIVE_H
#define LOOPGAUGE_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when the meaning of a member changes. A new member only makes the table longer. */
#define LOOPGAUGE_NATIVE_ABI 1u

/* What the loop is told to look for, and what it found. */
#define LOOPGAUGE_READABLE 1u
#define LOOPGAUGE_WRITABLE 2u

/* Opaque; the backend's own. */
typedef struct loopgauge_loop loopgauge_loop;
typedef struct loopgauge_timer loopgauge_timer;
typedef struct loopgauge_watch loopgauge_watch;
typedef struct loopgauge_signal loopgauge_signal;

typedef void (*loopgauge_callback)(void* data);
/* `events`: at least one bit of what was asked for. Errors and hang-ups count as both. */
typedef void (*loopgauge_watch_callback)(void* data, unsigned events);

/* One callback to be queued. The caller keeps it in place until it has run, and queues it at most
 * once at a time; it may be queued again from its own callback. */
typedef struct loopgauge_task {
  loopgauge_callback run;
  void* data;
  void* reserved[3]; /* the backend's while the task is queued */
} loopgauge_task;

typedef struct loopgauge_backend {
  size_t size;         /* sizeof(loopgauge_backend) where the backend was compiled */
  unsigned abi;        /* LOOPGAUGE_NATIVE_ABI there */
  const char* name;    /* "libuv"; static, as the version */
  const char* version; /* "1.44.2": of what is measured, not of the adapter */

  loopgauge_loop* (*create)(void);
  void (*destroy)(loopgauge_loop* loop); /* what is still queued does not run */

  /* The time that timers are compared with. */
  int64_t (*now)(loopgauge_loop* loop);

  /* Runs until stop(). With nothing to do it sleeps. */
  int (*run)(loopgauge_loop* loop);
  /* Looks for events once and runs what is due, or one callback of it. `wait` != 0: sleeps until
   * there is something. */
  int (*poll)(loopgauge_loop* loop, int wait);
  /* run() or poll() returns soon: callbacks that are queued already may or may not run before, and
   * are kept for the next run. Called outside of run(), it has no effect. */
  void (*stop)(loopgauge_loop* loop);

  /* Queues `task`: it runs once, after those queued before it on this thread. */
  int (*post)(loopgauge_loop* loop, loopgauge_task* task);
  /* The same from any thread, and wakes the loop if it sleeps. Tasks of one thread run in their
   * order. */
  int (*post_threadsafe)(loopgauge_loop* loop, loopgauge_task* task);

  loopgauge_timer* (*timer_create)(loopgauge_loop* loop, loopgauge_callback run, void* data);
  /* Runs the callback once, never before now() >= `deadline`; replaces a deadline that is
   * pending. */
  int (*timer_arm)(loopgauge_timer* timer, int64_t deadline);
  /* The callback does not run any more until the timer is armed again. */
  void (*timer_cancel)(loopgauge_timer* timer);
  void (*timer_destroy)(loopgauge_timer* timer);

  /* Level-triggered: the callback runs in every turn in which `fd` is ready for one of `events`
   * (LOOPGAUGE_READABLE, LOOPGAUGE_WRITABLE or both). One watch a descriptor. The descriptor stays
   * the caller's, who unwatches it before closing it. */
  loopgauge_watch* (*watch)(loopgauge_loop* loop, int fd, unsigned events,
                            loopgauge_watch_callback run, void* data);
  /* Looks for `events` from now on; 0 rests. */
  int (*rewatch)(loopgauge_watch* watch, unsigned events);
  void (*unwatch)(loopgauge_watch* watch);

  /* NULL in a backend without signals. The callback runs at least once after the last delivery of
   * `signum`; while it is watched, no other loop of the process watches signals. */
  loopgauge_signal* (*signal_watch)(loopgauge_loop* loop, int signum, loopgauge_callback run,
                                    void* data);
  void (*signal_unwatch)(loopgauge_signal* watched);
} loopgauge_backend;

/* The one symbol a backend exports. The table lives as long as the library is loaded. */
#define LOOPGAUGE_NATIVE_ENTRY loopgauge_native_backend
typedef const loopgauge_backend* (*loopgauge_native_entry)(void);

#if defined(__GNUC__)
#define LOOPGAUGE_NATIVE_EXPORT __attribute__((visibility("default")))
#else
#define LOOPGAUGE_NATIVE_EXPORT
#endif
LOOPGAUGE_NATIVE_EXPORT const loopgauge_backend* LOOPGAUGE_NATIVE_ENTRY(void);

#ifdef __cplusplus
}
#endif

#endif
