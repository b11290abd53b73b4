"""TASK: exceptions nobody asks for, tasks nobody finishes, and what looks at tasks from outside."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

Context = dict[str, Any]


def watch(t: Trial) -> list[Context]:
    """What the loop's exception handler is called with, from now on."""
    contexts: list[Context] = []
    t.loop.set_exception_handler(lambda loop, context: contexts.append({**context, "loop": loop}))
    return contexts


@case("TASK-014.task", expected="the handler is called once, when the task is collected")
def task_exception_nobody_retrieves(t: Trial) -> None:
    """A task raises; nobody asks for its exception, and it is dropped."""
    contexts = watch(t)

    async def fail() -> None:
        raise LookupError("ours")

    task = t.loop.create_task(fail())
    t.spin(2)
    t.equal("calls while the task is kept", len(contexts), 0)
    del task
    t.collect()
    t.equal("calls after it was dropped", len(contexts), 1)
    t.true("loop: the loop", contexts[0]["loop"] is t.loop)
    t.true("message: a text", isinstance(contexts[0].get("message"), str))
    t.true("exception: the exception", isinstance(contexts[0].get("exception"), LookupError))
    t.true("future: the task", asyncio.isfuture(contexts[0].get("future")))
    contexts.clear()


@case("TASK-014.future", expected="the handler is called once, when the future is collected")
def future_exception_nobody_retrieves(t: Trial) -> None:
    """A future gets an exception; nobody asks for it, and the future is dropped."""
    contexts = watch(t)
    future = t.loop.create_future()
    future.set_exception(LookupError("ours"))
    del future
    t.collect()
    t.equal("calls", len(contexts), 1)
    t.true("exception: the exception", isinstance(contexts[0].get("exception"), LookupError))
    contexts.clear()


@case("TASK-014.retrieved", expected="no call")
def exceptions_that_were_retrieved(t: Trial) -> None:
    """Of three tasks that raise, one is awaited, one is asked for exception(), and one is run by
    run_until_complete."""
    contexts = watch(t)

    async def fail() -> None:
        raise LookupError("ours")

    async def main() -> None:
        with t.raises(LookupError, what="awaiting the first"):
            await t.loop.create_task(fail())
        second = t.loop.create_task(fail())
        await asyncio.wait([second])
        t.true("exception() of the second", isinstance(second.exception(), LookupError))

    t.run(main())
    with t.raises(LookupError, what="running the third"):
        t.run(fail())
    t.collect()
    t.equal("calls", len(contexts), 0)


@case("TASK-014.logged", leaves=("logs",), expected="an ERROR on the logger 'asyncio'")
def exception_that_is_logged(t: Trial) -> None:
    """Without an exception handler, a future with an exception is dropped."""
    future = t.loop.create_future()
    future.set_exception(LookupError("ours"))
    del future
    t.collect()
    t.equal("errors logged", len(t.log_messages()), 1)
    t.true("the exception is named", "ours" in str(t.logs[0].exc_info) + t.log_messages()[0])


@case("TASK-015.pending", expected="the handler is called once, with the task")
def pending_task_is_dropped(t: Trial) -> None:
    """A task waits for a future that only the task refers to; both are dropped."""
    contexts = watch(t)

    async def wait() -> None:
        await t.loop.create_future()

    task = t.loop.create_task(wait())
    t.spin(2)
    t.equal("calls while the task is kept", len(contexts), 0)
    del task
    t.collect()
    t.equal("calls after it was dropped", len(contexts), 1)
    t.true("message: a text", isinstance(contexts[0].get("message"), str))
    t.true("task: the task", isinstance(contexts[0].get("task"), asyncio.Task))
    contexts.clear()
    t.collect()


@case("TASK-015.kept", expected="no call: the loop keeps a task that it will run")
def scheduled_task_is_not_dropped(t: Trial) -> None:
    """Tasks that are about to start, or that a timer will wake, are referred to by nobody but
    the loop; garbage is collected; then the loop runs."""
    contexts = watch(t)

    async def wait() -> None:
        await asyncio.sleep(0.005)
        t.event("woken by a timer")

    async def start() -> None:
        t.event("started")

    t.loop.create_task(wait())
    t.loop.create_task(start())
    t.collect()
    t.spin()
    t.collect()
    t.until(lambda: len(t.events) == 2, "both tasks have run")
    t.equal("calls", len(contexts), 0)
    t.saw("started", "woken by a timer")


@case("TASK-018.graph", expected="the frames of a waiting task, and who waits for it")
def call_graph_of_a_task(t: Trial) -> None:
    """A task waits for another, which waits for a future; its call graph is captured."""
    gate = t.loop.create_future()

    async def inner() -> None:
        await gate

    async def outer(task: asyncio.Task[None]) -> None:
        await task

    async def main() -> None:
        child = asyncio.create_task(inner())
        parent = asyncio.create_task(outer(child))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        graph: Any = asyncio.capture_call_graph(child)  # type: ignore[attr-defined]
        t.true("it is about the task", graph.future is child)
        names = [entry.frame.f_code.co_name for entry in graph.call_stack]
        t.equal("the frames", names, ["inner"])
        t.true("who waits for it", [one.future for one in graph.awaited_by] == [parent])
        gate.set_result(None)
        await parent

    t.run(main())


@case("TASK-018.print", expected="a text with the names of both functions")
def call_graph_as_text(t: Trial) -> None:
    """A coroutine prints its own call graph from a function it calls."""
    text = io.StringIO()

    async def inner() -> None:
        asyncio.print_call_graph(file=text)  # type: ignore[attr-defined]

    async def main() -> None:
        await inner()

    t.run(main())
    t.true("inner() is named", "inner()" in text.getvalue())
    t.true("main() is named", "main()" in text.getvalue())


@case("TASK-019.ps", expected="a table that names the task")
def tasks_seen_from_outside(t: Trial) -> None:
    """`python -m asyncio ps` is asked about this process, in which a task waits."""

    async def wait() -> None:
        await asyncio.sleep(3600)

    async def main() -> subprocess.CompletedProcess[str]:
        task = asyncio.create_task(wait(), name="seen-from-outside")
        await asyncio.sleep(0)
        command = [sys.executable, "-m", "asyncio", "ps", str(os.getpid())]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=8, check=False)
        task.cancel()
        await asyncio.wait([task])
        return ended

    ended = t.run(main())
    if "ermission" in ended.stderr or "ptrace" in ended.stderr:
        t.not_applicable("this machine does not let a process look into another")
    t.note("stderr", ended.stderr[-1000:])
    t.equal("exit status", ended.returncode, 0)
    t.true("the task is named", "seen-from-outside" in ended.stdout)
