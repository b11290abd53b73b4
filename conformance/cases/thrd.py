"""THRD: several threads, several loops, and who holds the interpreter's lock."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import sysconfig
import threading
import time

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import when_asleep
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.trial import Trial

SECONDS = 5.0


class Meant(Exception):
    """What a case raises on purpose."""


@case("THRD-001.result", expected="the result, computed in the loop's thread")
def result_from_another_thread(t: Trial) -> None:
    """A thread gives the sleeping loop a coroutine and waits for its result."""
    loop, ident = t.loop, threading.get_ident()
    seen: list[object] = []

    async def add(a: int, b: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return a + b, threading.get_ident() == ident

    def work() -> None:
        seen.append(asyncio.run_coroutine_threadsafe(add(1, 2), loop).result(SECONDS))
        loop.call_soon_threadsafe(loop.stop)

    thread = when_asleep(work)
    loop.run_forever()
    thread.join(SECONDS)
    t.equal("result, and whether it ran in the loop's thread", seen, [(3, True)])


@case("THRD-001.exception", expected="the very exception is raised in the other thread")
def exception_for_another_thread(t: Trial) -> None:
    """A thread gives the loop a coroutine that raises."""
    loop = t.loop
    error = Meant()

    async def fails() -> None:
        raise error

    def work() -> bool:
        future = asyncio.run_coroutine_threadsafe(fails(), loop)
        return future.exception(SECONDS) is error

    t.equal("it is the very exception", t.run(in_thread(work)), True)


@case("THRD-001.cancel-future", expected="the coroutine is cancelled in the loop")
def thread_cancels(t: Trial) -> None:
    """A thread gives the loop a coroutine, waits until it runs, and cancels its future."""
    loop = t.loop
    started, ended = threading.Event(), threading.Event()

    async def waits() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            t.event("cancelled")
            raise
        finally:
            ended.set()

    def work() -> tuple[bool, bool]:
        future = asyncio.run_coroutine_threadsafe(waits(), loop)
        started.wait(SECONDS)
        result = future.cancel()
        ended.wait(SECONDS)
        return result, future.cancelled()

    t.equal("cancel() and cancelled()", t.run(in_thread(work)), (True, True))
    t.saw("cancelled")


@case("THRD-001.cancel-task", expected="the future raises CancelledError in the other thread")
def loop_cancels(t: Trial) -> None:
    """A thread gives the loop a coroutine that cancels its own task."""
    loop = t.loop

    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    def work() -> str:
        future = asyncio.run_coroutine_threadsafe(cancels_itself(), loop)
        try:
            future.result(SECONDS)
        except concurrent.futures.CancelledError:
            return "cancelled"
        return "not cancelled"

    t.equal("the future in the other thread", t.run(in_thread(work)), "cancelled")


@case("THRD-001.many", expected="every result, each to the one who asked")
def many_threads(t: Trial) -> None:
    """Four threads ask for 50 results each."""
    loop = t.loop

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    def work(start: int) -> bool:
        return all(
            asyncio.run_coroutine_threadsafe(double(n), loop).result(SECONDS) == 2 * n
            for n in range(start, start + 50)
        )

    async def main() -> list[bool]:
        return list(await asyncio.gather(*(in_thread(work, start) for start in range(0, 200, 50))))

    t.equal("all results are right", t.run(main()), [True] * 4)


@case("THRD-002.free-threaded", expected="the lock stays off, and all loops do their work")
def free_threaded(t: Trial) -> None:
    """On a free-threaded build, four threads run a loop each, with callbacks, timers and tasks."""
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        t.not_applicable("this Python is no free-threaded build")
    enabled = sys._is_gil_enabled()  # type: ignore[attr-defined]
    t.equal("the interpreter's lock is on", enabled, False)
    loops_in_threads(t, 4)


def loops_in_threads(t: Trial, count: int) -> None:
    """As many threads run a loop each, all at the same time."""
    together = threading.Barrier(count)
    sums: list[int] = []

    async def count_up(loop: asyncio.AbstractEventLoop) -> int:
        done = 0
        for number in range(100):
            future = loop.create_future()
            (loop.call_soon if number % 2 else loop.call_soon_threadsafe)(future.set_result, 1)
            done += await future
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        return done if asyncio.get_running_loop() is loop else -1

    def work(loop: asyncio.AbstractEventLoop) -> None:
        together.wait(SECONDS)
        sums.append(loop.run_until_complete(count_up(loop)))
        loop.close()

    loops = [t.factory() for _ in range(count)]
    threads = [t.thread(work, loop) for loop in loops]
    for thread in threads:
        thread.join(SECONDS)
    t.equal("steps done by each loop", sums, [100] * count)
    t.equal("closed", [loop.is_closed() for loop in loops], [True] * count)


@case("THRD-003.computing", expected="callbacks and timers run all the same")
def computing_thread(t: Trial) -> None:
    """A thread computes without a pause while another one wakes the loop 10 times, and a timer of
    5 ms is waited for."""
    loop = t.loop
    ended = False

    def compute() -> None:
        deadline = time.monotonic() + SECONDS
        while not ended and time.monotonic() < deadline:
            sum(range(1000))

    def wake() -> None:
        for _ in range(10):
            called = threading.Event()
            loop.call_soon_threadsafe(called.set)
            if not called.wait(SECONDS):
                return
            t.event("called")
        loop.call_soon_threadsafe(loop.call_later, 0.005, loop.stop)

    threads = [t.thread(compute), t.thread(wake)]
    loop.run_forever()
    ended = True
    for thread in threads:
        thread.join(SECONDS)
    t.saw(*["called"] * 10)


@case("THRD-003.holding", expected="the loop wakes up after it, and nothing is lost")
def thread_that_does_not_let_go(t: Trial) -> None:
    """A thread calls call_soon_threadsafe and then keeps the interpreter's lock in one long
    operation; ten times."""
    loop = t.loop
    called = 0

    def count() -> None:
        nonlocal called
        called += 1
        if called == 10:
            loop.stop()

    def work() -> None:
        for _ in range(10):
            loop.call_soon_threadsafe(count)
            sorted(range(30_000), key=(-1).__mul__)  # no line of Python is run in it

    thread = when_asleep(work)
    loop.run_forever()
    thread.join(SECONDS)
    t.equal("calls", called, 10)


@case("THRD-004.progress", expected="the other thread makes its 50 steps while the loop sleeps")
def other_threads_run(t: Trial) -> None:
    """The loop sleeps, for a timer an hour away; another thread makes 50 steps, each of which needs
    the interpreter's lock, and only then wakes the loop."""
    loop = t.loop
    timer = loop.call_later(3600, t.event, "timer")
    steps = 0

    def work() -> None:
        nonlocal steps
        for _ in range(50):
            time.sleep(0.0002)
            steps += 1
        loop.call_soon_threadsafe(loop.stop)

    thread = when_asleep(work)
    loop.run_forever()
    thread.join(SECONDS)
    timer.cancel()
    t.equal("steps", steps, 50)
    t.saw()


@case("THRD-005.independent", expected="each loop does its own work; all are closed")
def loops_in_other_threads(t: Trial) -> None:
    """Three threads run a loop each at the same time, with callbacks, timers and futures."""
    loops_in_threads(t, 3)


@case("THRD-005.running", expected="each thread sees its own loop, and none where none runs")
def running_loop_of_each_thread(t: Trial) -> None:
    """While a loop runs in this thread, another thread asks for its running loop, runs a loop of
    its own, and asks again."""
    other = t.factory()

    async def own() -> bool:
        return asyncio.get_running_loop() is other

    def work() -> list[bool]:
        seen = [asyncio._get_running_loop() is None]
        seen.append(other.run_until_complete(own()))
        seen.append(asyncio._get_running_loop() is None)
        return seen

    async def main() -> list[bool]:
        seen = await in_thread(work)
        return [*seen, asyncio.get_running_loop() is t.loop]

    t.equal("none, its own, none; here the first", t.run(main()), [True] * 4)
