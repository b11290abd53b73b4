"""EXEC: run_in_executor and the default executor."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def fail() -> None:
    raise LookupError("ours")


async def shut_down(t: Trial) -> None:
    """The default executor's threads end here, so that the case leaves none."""
    await t.loop.shutdown_default_executor()


@case("EXEC-001.result", expected="the result, computed in another thread")
def result_of_work(t: Trial) -> None:
    """The default executor is given a function with two arguments."""

    def work(one: int, two: int) -> tuple[int, int]:
        return one + two, threading.get_ident()

    async def main() -> None:
        future = t.loop.run_in_executor(None, work, 40, 2)
        t.true("it returns a future", asyncio.isfuture(future))
        t.true("the future belongs to the loop", future.get_loop() is t.loop)
        total, thread = await future
        t.equal("the result", total, 42)
        t.true("it ran in another thread", thread != threading.get_ident())
        await shut_down(t)

    t.run(main())


@case("EXEC-001.exception", expected="the function's exception, out of await")
def exception_of_work(t: Trial) -> None:
    """The default executor is given a function that raises."""

    async def main() -> None:
        with t.raises(LookupError):
            await t.loop.run_in_executor(None, fail)
        await shut_down(t)

    t.run(main())


@case("EXEC-001.idle", expected="the function starts at once; its result comes with a run")
def work_outside_a_run(t: Trial) -> None:
    """run_in_executor is called before the loop runs, and the future is run afterwards."""
    started = threading.Event()
    future = t.loop.run_in_executor(None, started.set)
    t.true("the function was called before the run", started.wait(5))
    t.equal("the result", t.loop.run_until_complete(future), None)
    t.run(shut_down(t))


@case("EXEC-001.free", expected="the loop runs other things while the function waits")
def loop_while_work_runs(t: Trial) -> None:
    """A function in the executor waits for an event that a coroutine sets."""
    event = threading.Event()

    async def main() -> None:
        future = t.loop.run_in_executor(None, event.wait, 5)
        await asyncio.sleep(0.001)
        t.equal("done() while it waits", future.done(), False)
        event.set()
        t.equal("the result", await future, True)
        await shut_down(t)

    t.run(main())


@case("EXEC-001.several", expected="all results, each with its own future")
def several_works(t: Trial) -> None:
    """Twenty functions are given to the default executor at once."""

    async def main() -> None:
        futures = [t.loop.run_in_executor(None, pow, n, 2) for n in range(20)]
        t.equal("the results", await asyncio.gather(*futures), [n * n for n in range(20)])
        await shut_down(t)

    t.run(main())


@case("EXEC-002.name", expected="threads called 'asyncio_0', 'asyncio_1', …")
def names_of_threads(t: Trial) -> None:
    """A function in the default executor asks for the name of its thread."""

    async def main() -> str:
        name = await t.loop.run_in_executor(None, lambda: threading.current_thread().name)
        await shut_down(t)
        return name

    name = t.run(main())
    t.true(f"the name {name!r} begins with 'asyncio'", name.startswith("asyncio"))


@case("EXEC-002.lazy", expected="no thread more, until work is there")
def no_thread_before_work(t: Trial) -> None:
    """Threads are counted before and after a loop is made and run, and after work was given."""
    before = threading.active_count()
    t.run(asyncio.sleep(0))
    t.equal("threads more after a run", threading.active_count() - before, 0)

    async def main() -> int:
        await t.loop.run_in_executor(None, len, "abc")
        count = threading.active_count()
        await shut_down(t)
        return count

    t.equal("threads more after work", t.run(main()) - before, 1)


@case("EXEC-003.threads", expected="the function runs in a thread of that executor")
def own_thread_executor(t: Trial) -> None:
    """run_in_executor is given a ThreadPoolExecutor of one's own, which still works after the
    loop was closed."""
    with ThreadPoolExecutor(1, thread_name_prefix="ours") as executor:
        future = t.loop.run_in_executor(executor, lambda: threading.current_thread().name)
        t.equal("the thread", t.loop.run_until_complete(future), "ours_0")
        t.loop.close()
        t.equal("work after close()", executor.submit(len, "abc").result(5), 3)


@case("EXEC-003.default", expected="the function runs in a thread of the executor that was set")
def default_thread_executor(t: Trial) -> None:
    """A ThreadPoolExecutor is set as the default one; run_in_executor(None) is called."""
    t.loop.set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="ours"))

    async def main() -> str:
        name = await t.loop.run_in_executor(None, lambda: threading.current_thread().name)
        await shut_down(t)
        return name

    t.equal("the thread", t.run(main()), "ours_0")


@case("EXEC-003.processes", expected="the function runs in another process")
def process_executor(t: Trial) -> None:
    """run_in_executor is given a ProcessPoolExecutor."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        pid = t.loop.run_until_complete(t.loop.run_in_executor(executor, os.getpid))
    t.true("another process answered", pid != os.getpid())


@case("EXEC-003.interpreters", since="3.14", expected="the function runs in a subinterpreter")
def interpreter_executor(t: Trial) -> None:
    """run_in_executor is given an InterpreterPoolExecutor."""
    from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined]

    with InterpreterPoolExecutor(1) as executor:
        total = t.loop.run_until_complete(t.loop.run_in_executor(executor, pow, 2, 10))
    t.equal("the result", total, 1024)


class Inline(Executor):
    """Calls the function at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@case("EXEC-003.duck", expected="its submit() is called with the function and its arguments")
def executor_of_ones_own_class(t: Trial) -> None:
    """run_in_executor is given an Executor that calls the function at once."""
    future = t.loop.run_in_executor(Inline(), t.event, "called")
    t.saw("called")
    t.equal("the result", t.loop.run_until_complete(future), None)


@case("EXEC-004.kinds", variants=("processes", "own", "none"), expected="TypeError")
def default_executor_of_another_class(t: Trial, kind: str) -> None:
    """set_default_executor is given a ProcessPoolExecutor, an Executor of one's own class, and
    None."""
    with ProcessPoolExecutor(1) as processes:
        things: dict[str, Any] = {"processes": processes, "own": Inline(), "none": None}
        with t.raises(TypeError):
            t.loop.set_default_executor(things[kind])


@case("EXEC-004.subclass", expected="accepted, and used")
def default_executor_of_a_subclass(t: Trial) -> None:
    """set_default_executor is given an object of a subclass of ThreadPoolExecutor."""

    class Ours(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            t.event("submitted")
            return super().submit(fn, *args, **kwargs)

    t.loop.set_default_executor(Ours(1))

    async def main() -> int:
        length = await t.loop.run_in_executor(None, len, "abc")
        await shut_down(t)
        return length

    t.equal("the result", t.run(main()), 3)
    t.saw("submitted")


@case("EXEC-005.queued", expected="it is never called; the future is cancelled")
def cancel_before_the_work_starts(t: Trial) -> None:
    """An executor with one thread is busy; a second function is given to it and cancelled."""
    finish = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        busy = t.loop.run_in_executor(executor, finish.wait, 5)
        queued = t.loop.run_in_executor(executor, t.event, "called")
        t.equal("cancel() returns", queued.cancel(), True)
        t.spin(2)
        finish.set()
        t.equal("the first result", t.loop.run_until_complete(busy), True)
    t.equal("cancelled()", queued.cancelled(), True)
    t.saw()


@case("EXEC-005.running", expected="CancelledError for who waits; the work ends by itself")
def cancel_while_the_work_runs(t: Trial) -> None:
    """A coroutine that waits for running work is cancelled; the loop is closed while the work
    still runs."""
    started, finish = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        finish.wait(5)

    async def main() -> None:
        task = asyncio.ensure_future(t.loop.run_in_executor(None, work))
        started.wait(5)
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task

    t.run(main())
    t.loop.close()
    finish.set()
    t.equal("is_closed()", t.loop.is_closed(), True)


@case("EXEC-006.used", expected="RuntimeError; the function is not called")
def work_after_the_shutdown(t: Trial) -> None:
    """The default executor is used, shut down, and given more work."""

    async def main() -> None:
        t.equal("before", await t.loop.run_in_executor(None, len, "abc"), 3)
        await t.loop.shutdown_default_executor()
        with t.raises(RuntimeError):
            t.loop.run_in_executor(None, t.event, "called")

    t.run(main())
    t.saw()


@case("EXEC-006.unused", expected="RuntimeError, although there never was an executor")
def work_after_the_shutdown_of_nothing(t: Trial) -> None:
    """The default executor is shut down before it was ever used."""
    t.run(shut_down(t))
    with t.raises(RuntimeError):
        t.loop.run_in_executor(None, t.event, "called")
    t.saw()


@case("EXEC-006.own", expected="an executor of one's own is not affected")
def own_executor_after_the_shutdown(t: Trial) -> None:
    """The default executor is shut down; another is given work."""
    t.run(shut_down(t))
    with ThreadPoolExecutor(1) as executor:
        future = t.loop.run_in_executor(executor, len, "abc")
        t.equal("the result", t.loop.run_until_complete(future), 3)


@case("EXEC-007.waits", expected="it ends after the work, and the loop runs meanwhile")
def shutdown_waits_for_work(t: Trial) -> None:
    """A function waits in the default executor while that is shut down; a coroutine lets it go on
    after ten turns."""
    finish = threading.Event()

    def work() -> None:
        finish.wait(5)
        t.event("work ended")

    async def main() -> None:
        future = t.loop.run_in_executor(None, work)
        shutdown: Any = asyncio.ensure_future(t.loop.shutdown_default_executor())
        for _ in range(10):
            await asyncio.sleep(0)
        t.event("ten turns")
        t.equal("done() of the shutdown", shutdown.done(), False)
        finish.set()
        t.equal("its result", await shutdown, None)
        t.event("shut down")
        await future

    t.run(main())
    t.saw("ten turns", "work ended", "shut down")


@case("EXEC-007.threads", expected="the threads of the executor have ended when it returns")
def shutdown_ends_threads(t: Trial) -> None:
    """Three functions run at the same time; then the default executor is shut down."""
    before = threading.active_count()
    barrier = threading.Barrier(3)

    async def main() -> int:
        works = [t.loop.run_in_executor(None, barrier.wait, 5) for _ in range(3)]
        await asyncio.gather(*works)
        await t.loop.shutdown_default_executor()
        return threading.active_count()

    t.equal("threads more", t.run(main()) - before, 0)


@case("EXEC-008.warning", expected="a RuntimeWarning, while the work still runs")
def shutdown_with_a_time_limit(t: Trial) -> None:
    """The default executor is shut down with timeout=0.01 while a function waits for an event
    that is set only afterwards."""
    finish = threading.Event()

    async def main() -> None:
        future = t.loop.run_in_executor(None, finish.wait, 5)
        await t.loop.shutdown_default_executor(timeout=0.01)  # type: ignore[call-arg]
        t.equal("done() of the work", future.done(), False)
        t.equal("warnings", runtime_warnings(t), 1)
        finish.set()
        await future

    t.run(main())


@case("EXEC-008.in-time", expected="no warning")
def shutdown_within_the_limit(t: Trial) -> None:
    """The default executor is shut down with timeout=60 when all work is done."""

    async def main() -> None:
        await t.loop.run_in_executor(None, len, "abc")
        await t.loop.shutdown_default_executor(60)  # type: ignore[call-arg]

    started = time.monotonic()
    t.run(main())
    t.between("seconds", time.monotonic() - started, 0, 8)
    t.equal("warnings", runtime_warnings(t), 0)


def runtime_warnings(t: Trial) -> int:
    return sum(issubclass(seen.category, RuntimeWarning) for seen in t.warnings)


@case("EXEC-009.debug", variants=("function", "coroutine", "number"), expected="TypeError")
def what_cannot_be_work(t: Trial, kind: str) -> None:
    """In debug mode run_in_executor is given a coroutine function, a coroutine, and a number."""

    async def ours() -> None:
        pass

    t.loop.set_debug(True)
    coroutine = ours()
    things: dict[str, Any] = {"function": ours, "coroutine": coroutine, "number": 42}
    with ThreadPoolExecutor(1) as executor, t.raises(TypeError):
        t.loop.run_in_executor(executor, things[kind])
    coroutine.close()


@case("EXEC-010.result", variants=("result", "exception"), expected="silence")
def work_that_outlives_the_loop(t: Trial, kind: str) -> None:
    """The loop is closed while a function runs in the default executor; it returns or raises
    afterwards."""
    started, finish, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        finish.wait(5)
        ended.set()
        if kind == "exception":
            fail()

    executor = ThreadPoolExecutor(1)
    t.loop.set_default_executor(executor)
    future = t.loop.run_in_executor(None, work)
    started.wait(5)
    t.loop.close()
    finish.set()
    executor.shutdown(wait=True)
    t.true("the function came to its end", ended.is_set())
    t.equal("done() of the future", future.done(), False)
    t.equal("exceptions nobody could catch", t.unraisable, [])


@case("EXEC-011.context", expected="the value of the coroutine; what it sets stays in its copy")
def context_of_to_thread(t: Trial) -> None:
    """asyncio.to_thread calls a function that reads and sets a context variable, with positional
    and keyword arguments."""

    def work(one: str, two: str) -> str:
        text = f"{one} {two} {variable.get()}"
        variable.set("by the thread")
        return text

    async def main() -> None:
        variable.set("of the coroutine")
        t.equal("the result", await asyncio.to_thread(work, "a", two="b"), "a b of the coroutine")
        t.equal("the variable afterwards", variable.get(), "of the coroutine")
        await shut_down(t)

    t.run(main())
    t.equal("the variable outside", variable.get(), "unset")


@case("EXEC-011.exception", expected="the function's exception, out of await")
def exception_of_to_thread(t: Trial) -> None:
    """asyncio.to_thread calls a function that raises."""

    async def main() -> None:
        with t.raises(LookupError):
            await asyncio.to_thread(fail)
        await shut_down(t)

    t.run(main())
