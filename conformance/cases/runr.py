"""RUNR: asyncio.Runner, asyncio.run and IsolatedAsyncioTestCase over loops of the factory."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import io
import sys
import threading
import unittest
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.trial import Trial

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Meant(Exception):
    """What a case raises on purpose."""


@case("RUNR-001.result", expected="the result, on a loop of the factory, which is closed then")
def result_of_a_run(t: Trial) -> None:
    """Runner.run() of a coroutine that returns a value."""

    async def main() -> str:
        t.true("it runs on the runner's loop", asyncio.get_running_loop() is loop)
        return "result"

    with asyncio.Runner(loop_factory=t.factory) as runner:
        loop = runner.get_loop()
        t.equal("result", runner.run(main()), "result")
        t.equal("closed within the block", loop.is_closed(), False)
    t.equal("closed after the block", loop.is_closed(), True)


@case("RUNR-001.exception", expected="the very exception; the loop is closed all the same")
def exception_of_a_run(t: Trial) -> None:
    """Runner.run() of a coroutine that raises."""
    error = Meant()

    async def main() -> None:
        raise error

    with t.raises(Meant) as caught, asyncio.Runner(loop_factory=t.factory) as runner:
        loop = runner.get_loop()
        runner.run(main())
    t.true("it is the very exception", caught[0] is error)
    t.equal("closed", loop.is_closed(), True)


@case("RUNR-001.leftovers", expected="both tasks are cancelled, and their clean-up is waited for")
def leftover_tasks_are_cancelled(t: Trial) -> None:
    """The main task ends while two others wait; they await something when they are cancelled."""

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)
            t.event(f"{name} cleaned up")

    async def main() -> None:
        tasks.extend(asyncio.create_task(waits(name)) for name in ("first", "second"))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    with asyncio.Runner(loop_factory=t.factory) as runner:
        runner.run(main())
        t.equal("cancelled within the block", [task.done() for task in tasks], [False, False])
    t.equal("cancelled", [task.cancelled() for task in tasks], [True, True])
    t.equal("events", sorted(t.events), ["first cleaned up", "second cleaned up"])


@case("RUNR-001.async-generators", expected="the generator is closed before the loop is")
def async_generators_are_closed(t: Trial) -> None:
    """The main task leaves an asynchronous generator in the middle."""

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            t.event("generator closed")

    kept = []

    async def main() -> None:
        kept.append(numbers())
        await anext(kept[0])

    with asyncio.Runner(loop_factory=t.factory) as runner:
        runner.run(main())
        t.event("end of block")
    t.saw("end of block", "generator closed")


@case("RUNR-001.executor", expected="the thread of the default executor is gone")
def executor_is_shut_down(t: Trial) -> None:
    """The main task uses the default executor; its thread is looked for after the block."""

    async def main() -> threading.Thread:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, threading.current_thread)

    with asyncio.Runner(loop_factory=t.factory) as runner:
        thread = runner.run(main())
        t.true("it ran in another thread", thread is not threading.current_thread())
    t.equal("the thread is alive", thread.is_alive(), False)


@case("RUNR-001.run", since="3.12", expected="the result; the loop was the factory's; it is closed")
def asyncio_run(t: Trial) -> None:
    """asyncio.run() with the factory."""
    loops: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        loops.append(t.factory())
        return loops[-1]

    async def main() -> bool:
        return asyncio.get_running_loop() is loops[0]

    run: Callable[..., bool] = asyncio.run
    t.equal("it ran on the factory's loop", run(main(), loop_factory=factory), True)
    t.equal("loops made", len(loops), 1)
    t.equal("closed", loops[0].is_closed(), True)


@case("RUNR-001.close", expected="closed once; then run() and get_loop() raise RuntimeError")
def explicit_close(t: Trial) -> None:
    """A runner is closed twice without a with block, and used afterwards."""
    runner = asyncio.Runner(loop_factory=t.factory)
    loop = runner.get_loop()
    runner.close()
    runner.close()
    t.equal("closed", loop.is_closed(), True)
    with t.raises(RuntimeError, what="get_loop() raises"):
        runner.get_loop()


@case("RUNR-002.loop", expected="the same loop in both runs, and the variable is kept")
def two_runs(t: Trial) -> None:
    """Runner.run() is called twice; the first run sets a context variable, the second reads it."""

    async def first() -> asyncio.AbstractEventLoop:
        VARIABLE.set("first's")
        return asyncio.get_running_loop()

    async def second() -> tuple[asyncio.AbstractEventLoop, str]:
        return asyncio.get_running_loop(), VARIABLE.get()

    with asyncio.Runner(loop_factory=t.factory) as runner:
        loop = runner.run(first())
        other, value = runner.run(second())
    t.true("the loop is the same", loop is other)
    t.equal("the variable in the second run", value, "first's")
    t.equal("the variable outside", VARIABLE.get(), "unset")


@case("RUNR-002.context", expected="the given context is used for this run alone")
def run_with_a_context(t: Trial) -> None:
    """Runner.run() is given a context of its own, and then none."""
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "given")

    async def read() -> str:
        return VARIABLE.get()

    with asyncio.Runner(loop_factory=t.factory) as runner:
        t.equal("with the context", runner.run(read(), context=context), "given")
        t.equal("without it", runner.run(read()), "unset")


@case("RUNR-002.tasks", expected="it goes on in the second run")
def task_lives_between_runs(t: Trial) -> None:
    """A task that was started in the first run waits for an event that the second one sets."""

    async def waits(event: asyncio.Event) -> None:
        await event.wait()
        t.event("went on")

    async def first() -> tuple[asyncio.Event, asyncio.Task[None]]:
        event = asyncio.Event()
        task = asyncio.create_task(waits(event))
        await asyncio.sleep(0)
        return event, task

    async def second(event: asyncio.Event, task: asyncio.Task[None]) -> None:
        event.set()
        await task

    with asyncio.Runner(loop_factory=t.factory) as runner:
        runner.run(second(*runner.run(first())))
    t.saw("went on")


@case("RUNR-003.nested", expected="RuntimeError; the outer run is not harmed")
def run_within_a_run(t: Trial) -> None:
    """Runner.run() is called by a coroutine that a runner runs."""

    async def inner() -> None:
        t.event("inner")

    async def main() -> str:
        coroutine = inner()
        with t.raises(RuntimeError):
            runner.run(coroutine)
        coroutine.close()
        await asyncio.sleep(0)
        return "outer"

    with asyncio.Runner(loop_factory=t.factory) as runner:
        t.equal("result of the outer run", runner.run(main()), "outer")
    t.saw()


@case("RUNR-003.run", expected="RuntimeError")
def asyncio_run_within_a_run(t: Trial) -> None:
    """asyncio.run() is called in a loop of the factory."""

    async def inner() -> None:
        t.event("inner")

    async def main() -> None:
        coroutine = inner()
        with t.raises(RuntimeError):
            asyncio.run(coroutine)
        coroutine.close()

    t.run(main())
    t.saw()


@case("RUNR-004.debug", variants=("True", "False"), expected="get_debug() is what was given")
def debug_of_the_runner(t: Trial, value: str) -> None:
    """A runner is made with debug=True or debug=False."""

    async def main() -> bool:
        return asyncio.get_running_loop().get_debug()

    with asyncio.Runner(debug=value == "True", loop_factory=t.factory) as runner:
        t.equal("get_debug()", runner.run(main()), value == "True")


@case("RUNR-005.current", expected="the current loop of before is still the current one")
def current_loop_is_left_alone(t: Trial) -> None:
    """A loop is set as the current one; a runner with a factory runs and is closed."""
    own = t.factory()

    async def main() -> bool:
        return asyncio.get_event_loop() is runner.get_loop()

    asyncio.set_event_loop(own)
    with asyncio.Runner(loop_factory=t.factory) as runner:
        t.equal("get_event_loop() within the run is its loop", runner.run(main()), True)
    t.true("the current loop is the same as before", asyncio.get_event_loop() is own)
    asyncio.set_event_loop(None)


@case("RUNR-006.main", expected="RuntimeError, before and after the run; the loop within it")
def no_current_loop(t: Trial) -> None:
    """get_event_loop() is called before, in and after a run of a loop that was never set."""
    with t.raises(RuntimeError, what="before the run"):
        asyncio.get_event_loop()

    async def main() -> bool:
        return asyncio.get_event_loop() is t.loop

    t.equal("within the run it is the loop", t.run(main()), True)
    with t.raises(RuntimeError, what="after the run"):
        asyncio.get_event_loop()


@case("RUNR-006.thread", expected="RuntimeError: the loop runs in another thread")
def no_current_loop_in_a_thread(t: Trial) -> None:
    """While the loop runs, another thread calls get_event_loop()."""
    with t.raises(RuntimeError):
        t.run(in_thread(asyncio.get_event_loop))


def run_test_case(t: Trial, made: type[unittest.IsolatedAsyncioTestCase]) -> unittest.TestResult:
    """Runs the tests of the class, quietly; on Pythons before 3.13 by way of the policy."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(made)
    runner = unittest.TextTestRunner(stream=io.StringIO())
    if sys.version_info >= (3, 13):
        made.loop_factory = staticmethod(t.factory)
        return runner.run(suite)
    policy = asyncio.DefaultEventLoopPolicy()
    policy.new_event_loop = t.factory  # type: ignore[method-assign]
    asyncio.set_event_loop_policy(policy)
    try:
        return runner.run(suite)
    finally:
        asyncio.set_event_loop_policy(None)


@case("RUNR-007.order", expected="they run in this order on one loop, which is closed then")
def isolated_test_case(t: Trial) -> None:
    """An IsolatedAsyncioTestCase with asyncSetUp, a test, asyncTearDown and a clean-up is run."""
    loops: list[asyncio.AbstractEventLoop] = []

    class Tests(unittest.IsolatedAsyncioTestCase):
        async def step(self, name: str) -> None:
            await asyncio.sleep(0)
            loops.append(asyncio.get_running_loop())
            t.event(name)

        async def asyncSetUp(self) -> None:
            self.addAsyncCleanup(self.step, "clean-up")
            await self.step("set-up")

        async def test_something(self) -> None:
            await self.step("test")

        async def asyncTearDown(self) -> None:
            await self.step("tear-down")

    result = run_test_case(t, Tests)
    t.equal("passed", result.wasSuccessful(), True)
    t.saw("set-up", "test", "tear-down", "clean-up")
    t.equal("different loops", len({id(loop) for loop in loops}), 1)
    t.equal("closed", loops[0].is_closed(), True)


@case("RUNR-007.failing", expected="one failure, one error; each test has a loop of its own")
def failing_test_case(t: Trial) -> None:
    """An IsolatedAsyncioTestCase with a test that fails and one that raises."""
    loops: list[asyncio.AbstractEventLoop] = []

    class Tests(unittest.IsolatedAsyncioTestCase):
        async def test_fails(self) -> None:
            loops.append(asyncio.get_running_loop())
            self.fail("meant")

        async def test_raises(self) -> None:
            loops.append(asyncio.get_running_loop())
            raise Meant

    result = run_test_case(t, Tests)
    t.equal("failures", len(result.failures), 1)
    t.equal("errors", len(result.errors), 1)
    t.true("two loops", loops[0] is not loops[1])


@case("RUNR-008.reported", expected="one call with message, exception and task")
def leftover_task_raises(t: Trial) -> None:
    """A leftover task raises another exception when the runner cancels it at its end."""
    reports: list[dict[str, Any]] = []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Meant from None

    async def main() -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: reports.append(context))
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        return task

    with asyncio.Runner(loop_factory=t.factory) as runner:
        task = runner.run(main())
    t.equal("reports", len(reports), 1)
    t.true("message is a text", isinstance(reports[0].get("message"), str))
    t.equal("exception", type(reports[0].get("exception")).__name__, "Meant")
    t.true("task is the leftover one", reports[0].get("task") is task)


@case(
    "RUNR-009.policy",
    until="3.15",
    expected="the policy makes loops of the kind under test; it warns, or not: recorded",
)
def policy_of_the_backend(t: Trial) -> None:
    """The backend's class EventLoopPolicy, if it has one, is set as the policy, and a loop is made
    and run by asyncio.new_event_loop()."""
    module = importlib.import_module(t.factory_name.partition(":")[0])
    name = "DefaultEventLoopPolicy" if module is asyncio else "EventLoopPolicy"
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        if not hasattr(module, name):
            t.not_applicable("this backend has no EventLoopPolicy")
        policy = getattr(module, name)()
        asyncio.set_event_loop_policy(policy)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop_policy(None)
    own = t.factory()
    t.true("the loop is of the kind under test", isinstance(loop, type(own)))
    loop.call_soon(t.event, "called")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    t.saw("called")
    deprecated = [w for w in seen if issubclass(w.category, DeprecationWarning)]
    t.note("DeprecationWarnings, of asyncio or the backend", len(deprecated))
