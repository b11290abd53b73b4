"""LIFE: run_until_complete, what it takes and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


class Awaitable:
    """Neither a coroutine nor a future: an object with __await__."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "awaited"


@case("LIFE-001.result", expected="what the coroutine returns, the same object")
def result_of_a_coroutine(t: Trial) -> None:
    """A coroutine that awaits nothing is run, and returns an object."""
    wanted = object()

    async def main() -> object:
        return wanted

    t.true("the result is the object", t.loop.run_until_complete(main()) is wanted)


@case("LIFE-001.suspended", expected="42, after the coroutine was resumed")
def result_after_a_suspension(t: Trial) -> None:
    """The coroutine suspends itself once, with sleep(0), before it returns."""
    t.equal("the result", t.loop.run_until_complete(answer()), 42)


@case("LIFE-001.exception", expected="the coroutine's exception, the same object")
def exception_of_a_coroutine(t: Trial) -> None:
    """The coroutine raises; the exception has to reach the caller."""
    wanted = LookupError("ours")

    async def main() -> None:
        raise wanted

    with t.raises(LookupError) as caught:
        t.loop.run_until_complete(main())
    t.true("it is the very exception that was raised", caught[0] is wanted)


@case("LIFE-001.task", expected="a Task of this loop, found by current_task() inside")
def wrapped_in_a_task(t: Trial) -> None:
    """Inside the coroutine, asyncio.current_task() is asked which task it is."""

    async def main() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    task = t.loop.run_until_complete(main())
    t.true("the coroutine was run as an asyncio.Task", isinstance(task, asyncio.Task))
    t.true("the task belongs to the loop", task is not None and task.get_loop() is t.loop)
    t.true("it is done when run_until_complete returns", task is not None and task.done())


@case("LIFE-001.awaitable", expected="the value of its __await__")
def result_of_an_awaitable(t: Trial) -> None:
    """An object with __await__, which is no coroutine and no future, is run."""
    t.equal("the result", t.loop.run_until_complete(Awaitable()), "awaited")


@case("LIFE-001.again", expected="each call gives the result of its own coroutine")
def several_runs(t: Trial) -> None:
    """The same loop runs three coroutines, one after the other."""

    async def give(number: int) -> int:
        await asyncio.sleep(0)
        return number

    t.equal("the results", [t.loop.run_until_complete(give(n)) for n in range(3)], [0, 1, 2])


@case("LIFE-002.later", expected="the future's result, as soon as it has one")
def future_done_by_a_callback(t: Trial) -> None:
    """A callback sets the result of a future that run_until_complete waits for."""
    future = t.loop.create_future()
    t.loop.call_soon(future.set_result, "later")
    t.equal("the result", t.loop.run_until_complete(future), "later")


@case("LIFE-002.done", expected="its result, without waiting for anything")
def future_done_before(t: Trial) -> None:
    """The future already has its result when run_until_complete gets it."""
    future = t.loop.create_future()
    future.set_result("before")
    t.equal("the result", t.loop.run_until_complete(future), "before")
    t.equal("is_running() afterwards", t.loop.is_running(), False)


@case("LIFE-002.exception", expected="the future's exception, the same object")
def future_with_an_exception(t: Trial) -> None:
    """The future ends with an exception."""
    wanted = LookupError("ours")
    future = t.loop.create_future()
    t.loop.call_soon(future.set_exception, wanted)
    with t.raises(LookupError) as caught:
        t.loop.run_until_complete(future)
    t.true("it is the very exception that was set", caught[0] is wanted)


@case("LIFE-002.cancelled", expected="CancelledError")
def future_cancelled(t: Trial) -> None:
    """The future is cancelled while run_until_complete waits for it."""
    future = t.loop.create_future()
    t.loop.call_soon(future.cancel)
    with t.raises(asyncio.CancelledError):
        t.loop.run_until_complete(future)
    t.equal("is_running() afterwards", t.loop.is_running(), False)


@case("LIFE-002.task", expected="42, and the task is done")
def task_of_this_loop(t: Trial) -> None:
    """A task that create_task made is handed to run_until_complete."""
    task = t.loop.create_task(answer())
    t.equal("the result", t.loop.run_until_complete(task), 42)
    t.true("the task is done", task.done())


@case("LIFE-003.future", expected="RuntimeError; the future is still pending")
def stopped_before_the_future(t: Trial) -> None:
    """A callback stops the loop while run_until_complete waits for a future."""
    future = t.loop.create_future()
    t.loop.call_soon(t.loop.stop)
    with t.raises(RuntimeError):
        t.loop.run_until_complete(future)
    t.equal("future.done()", future.done(), False)


@case("LIFE-003.coroutine", expected="RuntimeError; the task goes on at the next run")
def stopped_before_the_coroutine(t: Trial) -> None:
    """The coroutine stops its own loop, and is finished by another run."""
    gate = t.loop.create_future()

    async def main() -> None:
        t.loop.stop()
        await gate
        t.event("resumed")

    with t.raises(RuntimeError):
        t.loop.run_until_complete(main())
    (task,) = asyncio.all_tasks(t.loop)
    gate.set_result(None)
    t.loop.run_until_complete(task)
    t.saw("resumed")


@case("LIFE-003.forgotten", expected="the later end of the future does not stop the loop")
def future_ends_after_the_stop(t: Trial) -> None:
    """run_until_complete was stopped. Its future ends during the next run_forever, which has to
    go on for two more turns, until it is stopped."""
    future = t.loop.create_future()
    t.loop.call_soon(t.loop.stop)
    with t.raises(RuntimeError):
        t.loop.run_until_complete(future)

    def go_on(turns: int) -> None:
        t.event(f"{turns} turns to go")
        if turns:
            t.loop.call_soon(go_on, turns - 1)
        else:
            t.loop.stop()

    future.set_result(None)
    t.loop.call_soon(go_on, 3)
    t.loop.run_forever()
    t.saw("3 turns to go", "2 turns to go", "1 turns to go", "0 turns to go")


@case("LIFE-004.future", expected="ValueError; both loops can still be used")
def future_of_another_loop(t: Trial) -> None:
    """run_until_complete is given a future that another loop made."""
    other = t.factory()
    future = other.create_future()
    with t.raises(ValueError):
        t.loop.run_until_complete(future)
    future.set_result("its own")
    t.equal("the result on its own loop", other.run_until_complete(future), "its own")
    t.equal("what the first loop runs", t.loop.run_until_complete(answer()), 42)


@case("LIFE-004.task", expected="ValueError; the task runs on its own loop")
def task_of_another_loop(t: Trial) -> None:
    """run_until_complete is given a task that another loop made."""
    other = t.factory()
    task = other.create_task(answer())
    with t.raises(ValueError):
        t.loop.run_until_complete(task)
    t.equal("the result on its own loop", other.run_until_complete(task), 42)


@case(
    "LIFE-005.kinds",
    variants=("none", "number", "function"),
    expected="TypeError; the loop still runs the real coroutine",
)
def no_awaitable(t: Trial, kind: str) -> None:
    """run_until_complete is given None, a number, or a coroutine function that nobody called;
    then a real coroutine."""
    things: dict[str, Any] = {"none": None, "number": 42, "function": answer}
    with t.raises(TypeError):
        t.loop.run_until_complete(things[kind])
    t.equal("what the loop runs next", t.loop.run_until_complete(answer()), 42)


@case("LIFE-006.coroutine", expected="RuntimeError; the outer run goes on to its end")
def nested_in_a_coroutine(t: Trial) -> None:
    """A coroutine calls run_until_complete of the loop that runs it, with a future."""

    async def main() -> str:
        inner = t.loop.create_future()
        with t.raises(RuntimeError):
            t.loop.run_until_complete(inner)
        await asyncio.sleep(0)
        return "outer"

    t.equal("the result of the outer run", t.loop.run_until_complete(main()), "outer")


@case("LIFE-006.forever", expected="RuntimeError; the outer run goes on to its end")
def run_forever_in_a_coroutine(t: Trial) -> None:
    """A coroutine calls run_forever of the loop that runs it."""

    async def main() -> str:
        with t.raises(RuntimeError):
            t.loop.run_forever()
        t.equal("is_running()", t.loop.is_running(), True)
        t.true("the running loop is the same", asyncio.get_running_loop() is t.loop)
        await asyncio.sleep(0)
        return "outer"

    t.equal("the result of the outer run", t.loop.run_until_complete(main()), "outer")


@case("LIFE-006.callback", expected="RuntimeError; later callbacks run")
def nested_in_a_callback(t: Trial) -> None:
    """A callback calls run_until_complete of the loop that runs it, with a future."""
    future = t.loop.create_future()

    def nested() -> None:
        try:
            t.loop.run_until_complete(future)
        except RuntimeError:
            t.event("refused")

    t.loop.call_soon(nested)
    t.loop.call_soon(t.event, "next callback")
    t.spin()
    t.saw("refused", "next callback")


@case("LIFE-007.until-complete", expected="RuntimeError; both loops can be used afterwards")
def another_loop_inside(t: Trial) -> None:
    """A coroutine on loop A calls run_until_complete of loop B, with a future of B."""
    other = t.factory()

    async def main() -> None:
        inner = other.create_future()
        with t.raises(RuntimeError):
            other.run_until_complete(inner)
        t.true("the running loop is still A", asyncio.get_running_loop() is t.loop)
        await asyncio.sleep(0)

    t.loop.run_until_complete(main())
    t.equal("what B runs afterwards", other.run_until_complete(answer()), 42)


@case("LIFE-007.forever", expected="RuntimeError; A is still the running loop, B runs nothing")
def another_loop_forever(t: Trial) -> None:
    """A callback on loop A calls run_forever of loop B, which has a callback to run."""
    other = t.factory()
    other.call_soon(t.event, "callback of B")

    def nested() -> None:
        try:
            other.run_forever()
        except RuntimeError:
            t.event("refused")
        t.event(f"B is running: {other.is_running()}")
        t.event(f"A is the running loop: {asyncio._get_running_loop() is t.loop}")

    t.loop.call_soon(nested)
    t.spin()
    t.saw("refused", "B is running: False", "A is the running loop: True")


@case("LIFE-008.running", expected="a RuntimeWarning 'never awaited', and no task")
def coroutine_refused_by_a_running_loop(t: Trial) -> None:
    """A coroutine is given to run_until_complete of a loop that runs, and dropped."""

    async def main() -> None:
        with t.raises(RuntimeError):
            t.loop.run_until_complete(answer())
        t.equal("tasks of the loop", len(asyncio.all_tasks(t.loop)), 1)

    t.loop.run_until_complete(main())
    t.collect()
    t.equal("warnings", never_awaited(t), 1)


@case("LIFE-008.closed", expected="a RuntimeWarning 'never awaited', and no task")
def coroutine_refused_by_a_closed_loop(t: Trial) -> None:
    """A coroutine is given to run_until_complete of a closed loop, and dropped."""
    t.loop.close()
    with t.raises(RuntimeError):
        t.loop.run_until_complete(answer())
    t.equal("tasks of the loop", len(asyncio.all_tasks(t.loop)), 0)
    t.collect()
    t.equal("warnings", never_awaited(t), 1)


def never_awaited(t: Trial) -> int:
    """How many coroutines `answer` Python says were never awaited."""
    return sum(
        issubclass(seen.category, RuntimeWarning) and "answer" in str(seen.message)
        for seen in t.warnings
    )
