"""TASK: what asyncio builds from tasks, futures and timers works on the loop."""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


async def give(value: Any, turns: int = 1) -> Any:
    """Returns `value` after so many turns."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def fail(turns: int = 1) -> None:
    await give(None, turns)
    raise LookupError("ours")


@case("TASK-017.gather", expected="the results in the order of the arguments")
def gather_results(t: Trial) -> None:
    """gather() waits for three coroutines, of which the first is the slowest."""

    async def main() -> list[Any]:
        return list(await asyncio.gather(give("a", 5), give("b", 1), give("c", 3)))

    t.equal("the results", t.run(main()), ["a", "b", "c"])


@case("TASK-017.gather-exception", expected="the exception; with return_exceptions a result")
def gather_exceptions(t: Trial) -> None:
    """gather() waits for coroutines of which one raises, once without return_exceptions and once
    with it."""

    async def main() -> None:
        other = asyncio.ensure_future(give("unharmed", 5))
        with t.raises(LookupError):
            await asyncio.gather(fail(), other)
        t.equal("the other is not cancelled", await other, "unharmed")
        results = await asyncio.gather(give("a"), fail(), return_exceptions=True)
        t.equal("the first result", results[0], "a")
        t.true("the second is the exception", isinstance(results[1], LookupError))

    t.run(main())


@case("TASK-017.gather-cancel", expected="CancelledError, and both children are cancelled")
def gather_cancelled(t: Trial) -> None:
    """A gather() of two tasks that sleep is cancelled."""

    async def main() -> None:
        children = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(2)]
        both = asyncio.gather(*children)
        await asyncio.sleep(0)
        both.cancel()
        with t.raises(asyncio.CancelledError):
            await both
        t.equal("cancelled()", [child.cancelled() for child in children], [True, True])

    t.run(main())


@case("TASK-017.wait", expected="done and pending, as asked for")
def wait_for_some(t: Trial) -> None:
    """wait() waits for the first, for the first exception, for a time, and for all."""

    async def main() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        quick, slow = asyncio.create_task(give(1)), asyncio.ensure_future(gate)
        done, pending = await asyncio.wait([quick, slow], return_when=asyncio.FIRST_COMPLETED)
        t.true("first: the quick one is done", done == {quick} and pending == {slow})
        wrong = asyncio.create_task(fail())
        done, pending = await asyncio.wait([wrong, slow], return_when=asyncio.FIRST_EXCEPTION)
        t.true("exception: the one that raised is done", done == {wrong} and pending == {slow})
        t.true("its exception", isinstance(wrong.exception(), LookupError))
        done, pending = await asyncio.wait([slow], timeout=0.001)
        t.true("timeout: it is pending", not done and pending == {slow})
        gate.set_result(None)
        done, pending = await asyncio.wait([quick, slow])
        t.true("all: both are done", done == {quick, slow} and not pending)

    t.run(main())


@case("TASK-017.shield", expected="the outer wait is cancelled, the inner task is not")
def shield_a_task(t: Trial) -> None:
    """A task waits for a shield() around another task, and is cancelled."""

    async def main() -> None:
        gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        inner = asyncio.ensure_future(gate)

        async def outer() -> None:
            await asyncio.shield(inner)

        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        t.equal("the outer task is cancelled", task.cancelled(), True)
        t.equal("the inner one is done", inner.done(), False)
        gate.set_result("inner")
        t.equal("the inner result", await inner, "inner")

    t.run(main())


@case("TASK-017.as-completed", expected="in the order in which they end")
def as_completed_order(t: Trial) -> None:
    """as_completed() is given three coroutines that end after 5, 1 and 3 turns."""

    async def main() -> None:
        for future in asyncio.as_completed([give("five", 5), give("one", 1), give("three", 3)]):
            t.event(await future)

    t.run(main())
    t.saw("one", "three", "five")


@case("TASK-017.wait-for", expected="the result; TimeoutError, and the task is cancelled")
def wait_for_a_time(t: Trial) -> None:
    """wait_for() is given what ends in time, what does not, and what raises."""

    async def main() -> None:
        t.equal("in time", await asyncio.wait_for(give("result"), 60), "result")
        t.equal("without limit", await asyncio.wait_for(give("result"), None), "result")
        slow = asyncio.create_task(asyncio.sleep(3600))
        with t.raises(TimeoutError, what="not in time"):
            await asyncio.wait_for(slow, 0.002)
        t.equal("the slow one is cancelled", slow.cancelled(), True)
        with t.raises(LookupError, what="its own exception"):
            await asyncio.wait_for(fail(), 60)

    t.run(main())


@case("TASK-017.timeout", expected="TimeoutError outside the block, CancelledError inside")
def timeout_block(t: Trial) -> None:
    """A timeout() block is too slow; another is in time; a third is moved."""

    async def main() -> None:
        with t.raises(TimeoutError):
            async with asyncio.timeout(0.002):
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    t.event("cancelled inside")
                    raise
        async with asyncio.timeout(60) as in_time:
            await asyncio.sleep(0)
        t.equal("expired() of the one in time", in_time.expired(), False)
        with t.raises(TimeoutError):
            async with asyncio.timeout(3600) as moved:
                moved.reschedule(asyncio.get_running_loop().time() + 0.002)
                await asyncio.sleep(3600)
        t.equal("expired() of the one moved", moved.expired(), True)

    t.run(main())
    t.saw("cancelled inside")


@case("TASK-017.timeout-at", expected="TimeoutError, by the clock of the loop")
def timeout_at_a_time(t: Trial) -> None:
    """timeout_at() is given a time of loop.time() that is 2 ms away."""

    async def main() -> None:
        when = asyncio.get_running_loop().time() + 0.002
        with t.raises(TimeoutError):
            async with asyncio.timeout_at(when):
                await asyncio.sleep(3600)
        t.true("the time has come", asyncio.get_running_loop().time() >= when - 0.001)

    t.run(main())


@case("TASK-017.group", expected="all results when the block ends")
def task_group(t: Trial) -> None:
    """A TaskGroup runs two tasks."""

    async def main() -> list[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(give(value, 3)) for value in "ab"]
        return [task.result() for task in tasks]

    t.equal("the results", t.run(main()), ["a", "b"])


@case("TASK-017.group-exception", expected="an ExceptionGroup; the other task is cancelled")
def task_group_with_an_exception(t: Trial) -> None:
    """Of two tasks in a TaskGroup one raises while the other sleeps."""

    async def main() -> None:
        with t.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                slow = group.create_task(asyncio.sleep(3600))
                group.create_task(fail())
        kinds = [type(error).__name__ for error in getattr(caught[0], "exceptions", ())]
        t.equal("the exceptions in the group", kinds, ["LookupError"])
        t.equal("the other task is cancelled", slow.cancelled(), True)

    t.run(main())


@case("TASK-017.locks", expected="in the order of their asking; each wakes the next")
def locks_and_queues(t: Trial) -> None:
    """Three tasks ask for a Lock one after the other, and put a word into a Queue each."""

    async def main() -> list[str]:
        lock, queue = asyncio.Lock(), asyncio.Queue[str](1)

        async def worker(name: str) -> None:
            async with lock:
                await asyncio.sleep(0)
                await queue.put(name)

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(worker(name))
            return [await queue.get() for _ in range(3)]

    t.equal("what came out of the queue", t.run(main()), ["a", "b", "c"])


@case("TASK-017.cancel", expected="once, in the innermost await; uncancel() takes it back")
def cancel_a_chain(t: Trial) -> None:
    """A task that waits three coroutines deep is cancelled; the innermost sees it and the
    outermost takes it back."""

    async def inner() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            t.event("inner")
            raise

    async def middle() -> None:
        await inner()

    async def outer() -> str:
        try:
            await middle()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            t.event(f"outer, {task.uncancel() if task else None} left")
        await asyncio.sleep(0)
        return "went on"

    async def main() -> str:
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        t.equal("cancel() returns", task.cancel(), True)
        return await task

    t.equal("the result", t.run(main()), "went on")
    t.saw("inner", "outer, 0 left")
