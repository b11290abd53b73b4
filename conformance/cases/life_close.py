"""LIFE: close, what a closed loop refuses, and what it lets go."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


class Thing:
    """Something that can be referred to weakly."""

    def method(self, *args: object) -> None:
        pass


async def nothing() -> None:
    pass


def descriptors() -> set[str]:
    """Number and kind of what is open, without the descriptor of the listing itself."""
    links = list(Path("/proc/self/fd").iterdir())
    return {f"{link.name} {link.readlink()}" for link in links if os.path.lexists(link)}


def counts() -> tuple[int, int, int]:
    """Descriptors, threads, objects known to the garbage collector."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    return len(descriptors()), threads, len(gc.get_objects())


@case("LIFE-019.coroutine", expected="RuntimeError; the loop goes on, and can be closed later")
def close_in_a_coroutine(t: Trial) -> None:
    """A coroutine closes the loop that runs it."""

    async def main() -> str:
        with t.raises(RuntimeError):
            t.loop.close()
        t.equal("is_closed()", t.loop.is_closed(), False)
        await asyncio.sleep(0.001)
        return "finished"

    t.equal("the result", t.loop.run_until_complete(main()), "finished")
    loop = t.loop
    loop.close()
    t.equal("is_closed() after the run", loop.is_closed(), True)


@case("LIFE-019.callback", expected="RuntimeError; callbacks and timers still run")
def close_in_a_callback(t: Trial) -> None:
    """A callback closes its loop while another callback and a timer are scheduled."""

    def close() -> None:
        try:
            t.loop.close()
        except RuntimeError:
            t.event("refused")

    t.loop.call_soon(close)
    t.loop.call_soon(t.event, "callback")
    t.loop.call_later(0.001, t.event, "timer")
    t.loop.call_later(0.002, t.loop.stop)
    t.loop.run_forever()
    t.saw("refused", "callback", "timer")


@case("LIFE-020.idle", expected="is_closed() is False, then True; the second close is allowed")
def close_twice(t: Trial) -> None:
    """A loop that never ran is closed, and closed again."""
    loop = t.loop
    t.equal("is_closed() before", loop.is_closed(), False)
    t.equal("close() returns", loop.close(), None)
    t.equal("is_closed() after", loop.is_closed(), True)
    loop.close()
    t.equal("is_closed() after the second close", loop.is_closed(), True)


@case("LIFE-020.used", expected="is_closed() is False while it is used, True after close")
def close_after_a_run(t: Trial) -> None:
    """A loop is run, asked in between, closed, and closed again."""

    async def main() -> bool:
        return t.loop.is_closed()

    t.equal("is_closed() while it runs", t.loop.run_until_complete(main()), False)
    t.equal("is_closed() after the run", t.loop.is_closed(), False)
    t.loop.close()
    t.loop.close()
    t.equal("is_closed() after close()", t.loop.is_closed(), True)


@case("LIFE-020.others", expected="the other loop is not closed, and works")
def close_one_of_two(t: Trial) -> None:
    """Of two loops in one thread, one is closed."""
    other = t.factory()
    t.loop.close()
    t.equal("is_closed() of the other", other.is_closed(), False)
    other.run_until_complete(asyncio.sleep(0.001))
    t.equal("is_running() of the other after a run", other.is_running(), False)


#: What a closed loop refuses.
REFUSED: dict[str, Callable[[asyncio.AbstractEventLoop], object]] = {
    "run-forever": lambda loop: loop.run_forever(),
    "call-soon": lambda loop: loop.call_soon(print),
    "call-later": lambda loop: loop.call_later(1, print),
    "call-at": lambda loop: loop.call_at(loop.time() + 1, print),
    "call-soon-threadsafe": lambda loop: loop.call_soon_threadsafe(print),
    "run-in-executor": lambda loop: loop.run_in_executor(None, print),
}


@case("LIFE-021.methods", variants=tuple(REFUSED), expected="RuntimeError")
def refused_after_close(t: Trial, method: str) -> None:
    """A method that makes a loop do something is called after close()."""
    t.loop.close()
    with t.raises(RuntimeError):
        REFUSED[method](t.loop)
    t.equal("is_running()", t.loop.is_running(), False)


@case("LIFE-021.run-until-complete", expected="RuntimeError; the coroutine is not started")
def run_until_complete_after_close(t: Trial) -> None:
    """run_until_complete is called after close(), with a coroutine."""

    async def main() -> None:
        t.event("started")

    t.loop.close()
    coroutine = main()
    with t.raises(RuntimeError):
        t.loop.run_until_complete(coroutine)
    coroutine.close()
    t.saw()


@case("LIFE-021.create-task", expected="RuntimeError, and no task")
def create_task_after_close(t: Trial) -> None:
    """create_task is called after close()."""
    t.loop.close()
    coroutine = nothing()
    with t.raises(RuntimeError):
        t.loop.create_task(coroutine)
    coroutine.close()
    t.equal("tasks of the loop", len(asyncio.all_tasks(t.loop)), 0)


@case("LIFE-021.executor", expected="RuntimeError; the function is not called")
def own_executor_after_close(t: Trial) -> None:
    """run_in_executor is called after close(), with an executor of one's own."""
    t.loop.close()
    with ThreadPoolExecutor(1) as executor, t.raises(RuntimeError):
        t.loop.run_in_executor(executor, t.event, "called")
    t.saw()


@case("LIFE-022.add", variants=("reader", "writer"), expected="RuntimeError")
def watch_after_close(t: Trial, kind: str) -> None:
    """add_reader or add_writer is called after close()."""
    t.loop.close()
    ours, peer = socket.socketpair()
    with ours, peer:
        add = t.loop.add_reader if kind == "reader" else t.loop.add_writer
        with t.raises(RuntimeError):
            add(ours.fileno(), print)


@case("LIFE-022.remove", variants=("reader", "writer"), expected="False")
def unwatch_after_close(t: Trial, kind: str) -> None:
    """remove_reader or remove_writer is called after close(), for a descriptor that was watched
    before, and for one that never was."""
    ours, peer = socket.socketpair()
    with ours, peer:
        add = t.loop.add_reader if kind == "reader" else t.loop.add_writer
        add(ours.fileno(), print)
        t.loop.close()
        remove = t.loop.remove_reader if kind == "reader" else t.loop.remove_writer
        t.equal("of one that was watched", remove(ours.fileno()), False)
        t.equal("of one that never was", remove(peer.fileno()), False)


KEPT = ("call-soon", "call-later", "call-at", "threadsafe", "reader", "writer")


@case("LIFE-023.references", variants=KEPT, expected="the callback and its argument are released")
def references_after_close(t: Trial, kind: str) -> None:
    """A callback is a method of an object, and another object is its argument. The loop is
    closed with the callback pending, and kept; nobody else refers to the objects."""
    ours, peer = socket.socketpair()
    bound, argument = Thing(), Thing()
    watched = weakref.ref(bound), weakref.ref(argument)
    loop = t.loop
    if kind == "call-soon":
        loop.call_soon(bound.method, argument)
    elif kind == "call-later":
        loop.call_later(3600, bound.method, argument)
    elif kind == "call-at":
        loop.call_at(loop.time() + 3600, bound.method, argument)
    elif kind == "threadsafe":
        loop.call_soon_threadsafe(bound.method, argument)
    elif kind == "reader":
        loop.add_reader(ours.fileno(), bound.method, argument)
    else:
        loop.add_writer(ours.fileno(), bound.method, argument)
    del bound, argument
    t.collect()
    t.true("they are kept until close()", watched[0]() and watched[1]())
    loop.close()
    t.collect()
    ours.close()
    peer.close()
    t.true("the object whose method it was is released", watched[0]() is None)
    t.true("the argument is released", watched[1]() is None)


@case("LIFE-023.ran", expected="none of them is ever called")
def pending_callbacks_are_discarded(t: Trial) -> None:
    """Callbacks of every kind are pending when the loop is closed; all of them were due."""
    t.loop.call_soon(t.event, "call_soon")
    t.loop.call_later(0, t.event, "call_later")
    t.loop.call_at(t.loop.time(), t.event, "call_at")
    t.loop.call_soon_threadsafe(t.event, "call_soon_threadsafe")
    t.loop.close()
    with t.raises(RuntimeError):
        t.loop.run_forever()
    t.collect()
    t.saw()


@case("LIFE-023.stopped", expected="the callback of the turn after the stop is never called")
def callbacks_after_the_stop_are_discarded(t: Trial) -> None:
    """A callback stops the loop and sets a timer that is due at once; the loop is closed."""

    def stop() -> None:
        t.event("stop")
        t.loop.stop()
        t.loop.call_later(0.001, t.event, "timer")

    t.loop.call_soon(stop)
    t.loop.run_forever()
    t.loop.close()
    t.saw("stop")


@case("LIFE-024.waits", expected="close() returns while the work still runs")
def close_does_not_wait(t: Trial) -> None:
    """A function is at work in the default executor, and waits for an event that is set only
    after close() has returned."""
    started, finish, finished = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        finish.wait(5)
        finished.set()

    t.loop.run_in_executor(None, work)
    started.wait(5)
    t.loop.close()
    t.equal("the work is finished when close() returns", finished.is_set(), False)
    finish.set()
    t.true("the work is finished afterwards", finished.wait(5))


@case("LIFE-024.shut-down", expected="the executor takes no more work, and its threads end")
def close_shuts_the_executor_down(t: Trial) -> None:
    """A default executor was set, and used; after close() it is given work."""
    executor = ThreadPoolExecutor(1)
    t.loop.set_default_executor(executor)
    t.equal("its work", t.loop.run_until_complete(t.loop.run_in_executor(None, len, "abc")), 3)
    t.loop.close()
    with t.raises(RuntimeError):
        executor.submit(len, "abc")


@case("LIFE-024.own", expected="an executor that is not the default one still works")
def close_leaves_other_executors(t: Trial) -> None:
    """run_in_executor is given an executor of one's own; after close() that is given work."""
    with ThreadPoolExecutor(1) as executor:
        future = t.loop.run_in_executor(executor, len, "abc")
        t.equal("its work", t.loop.run_until_complete(future), 3)
        t.loop.close()
        t.equal("its work after close()", executor.submit(len, "abcd").result(5), 4)


def use_nothing(loop: asyncio.AbstractEventLoop) -> None:
    pass


def use_run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(nothing())


def use_timer(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(asyncio.sleep(0.001))


def use_threadsafe(loop: asyncio.AbstractEventLoop) -> None:
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    thread.start()
    loop.run_forever()
    thread.join()


def use_reader(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = socket.socketpair()
    loop.add_reader(ours.fileno(), loop.stop)
    peer.send(b"x")
    loop.run_forever()
    loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()


def use_signal(loop: asyncio.AbstractEventLoop) -> None:
    """The handler is still there when the loop is closed."""
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    loop.run_forever()


def use_executor(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(loop.run_in_executor(None, len, "abc"))
    loop.run_until_complete(loop.shutdown_default_executor())


USES: dict[str, Callable[[asyncio.AbstractEventLoop], None]] = {
    "nothing": use_nothing,
    "run": use_run,
    "timer": use_timer,
    "threadsafe": use_threadsafe,
    "reader": use_reader,
    "signal": use_signal,
    "executor": use_executor,
}


@case("LIFE-025.uses", variants=tuple(USES), expected="no descriptor more than before")
def descriptors_after_close(t: Trial, use: str) -> None:
    """A loop is made, used in one way, and closed. Another was made, used in the same way and
    closed before, since a library may keep descriptors for the whole process."""
    for _ in range(2):
        before = descriptors()
        loop = t.factory()
        USES[use](loop)
        loop.close()
        after = descriptors()
    t.equal("descriptors that close() left", sorted(after - before), [])


@case("LIFE-026.never-ran", leaves=("warnings", "fds"), expected="a ResourceWarning")
def dropped_without_close(t: Trial) -> None:
    """A loop is made and dropped, without a run and without close()."""
    loop = t.factory()
    t.forget(loop)
    del loop
    t.collect()
    t.equal("warnings about the loop", unclosed_loops(t), 1)


@case("LIFE-026.ran", leaves=("warnings", "fds"), expected="a ResourceWarning")
def dropped_after_a_run(t: Trial) -> None:
    """A loop is made, run and dropped without close()."""
    loop = t.factory()
    t.forget(loop)
    loop.run_until_complete(asyncio.sleep(0.001))
    del loop
    t.collect()
    t.equal("warnings about the loop", unclosed_loops(t), 1)


@case("LIFE-026.closed", expected="no warning, and the loop is gone")
def dropped_after_close(t: Trial) -> None:
    """A loop is made, run, closed and dropped."""
    loop = t.factory()
    t.forget(loop)
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    watched = weakref.ref(loop)
    del loop
    t.collect()
    t.true("the loop is released", watched() is None)
    t.equal("warnings about the loop", unclosed_loops(t), 0)


def unclosed_loops(t: Trial) -> int:
    """How many ResourceWarnings are about a loop, not about its sockets."""
    return sum(
        issubclass(seen.category, ResourceWarning) and "loop" in str(seen.message).lower()
        for seen in t.warnings
    )


#: Fewer than the 1,000 of the rule: a leak of one descriptor or object a loop shows all the same.
CYCLES = 100


@case("LIFE-027.cycles", expected="as many descriptors, threads and objects as after the first")
def many_loops(t: Trial) -> None:
    """A hundred loops are made, run and closed, one after the other; what they leave is less
    than one thing a loop."""

    def cycle(times: int) -> None:
        for _ in range(times):
            loop = t.factory()
            t.forget(loop)
            loop.call_soon(Thing().method)
            loop.run_until_complete(nothing())
            loop.close()

    cycle(10)
    t.collect()
    before = counts()
    cycle(CYCLES)
    t.collect()
    after = counts()
    t.equal("descriptors more", after[0] - before[0], 0)
    t.between("threads more", after[1] - before[1], -before[1], 0)
    t.between("objects more", after[2] - before[2], -before[2], CYCLES // 2)
