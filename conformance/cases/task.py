"""TASK: create_future and create_task."""

from __future__ import annotations

import asyncio
import contextvars
import re
import sys
import weakref
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def nothing() -> None:
    pass


def finish(t: Trial, *tasks: asyncio.Future[Any]) -> None:
    """Runs the loop until all of them are done."""
    for task in tasks:
        t.loop.run_until_complete(task)


@case("TASK-001.idle", expected="a future of this loop, pending")
def future_of_the_loop(t: Trial) -> None:
    """create_future is called outside any run."""
    future = t.loop.create_future()
    t.true("asyncio.isfuture() says yes", asyncio.isfuture(future))
    t.true("get_loop() is the loop", future.get_loop() is t.loop)
    t.equal("done()", future.done(), False)


@case("TASK-001.running", expected="a future of this loop; each call makes a new one")
def future_of_the_running_loop(t: Trial) -> None:
    """create_future is called twice in a coroutine, of the running loop and of another."""
    other = t.factory()

    async def main() -> None:
        ours, second, theirs = t.loop.create_future(), t.loop.create_future(), other.create_future()
        t.true("they are three futures", len({id(ours), id(second), id(theirs)}) == 3)
        t.true("get_loop() of ours is the running loop", ours.get_loop() is t.loop)
        t.true("get_loop() of theirs is the other loop", theirs.get_loop() is other)

    t.run(main())


@case("TASK-001.callbacks", expected="called in a later turn, in order, with the future")
def callbacks_of_a_future(t: Trial) -> None:
    """Two callbacks are added to a future, which gets its result; then a third is added."""
    future = t.loop.create_future()
    seen: list[object] = []
    future.add_done_callback(lambda done: t.event("first"))
    future.add_done_callback(seen.append)
    future.add_done_callback(lambda done: t.event("second"))
    future.set_result(1)
    future.add_done_callback(lambda done: t.event("third"))
    t.saw()
    t.spin()
    t.saw("first", "second", "third")
    t.true("the callback was given the future", seen == [future])


@case("TASK-001.awaited", expected="the result, in the coroutine that waits")
def future_that_is_awaited(t: Trial) -> None:
    """A coroutine waits for a future that a timer completes."""

    async def main() -> str:
        future: asyncio.Future[str] = t.loop.create_future()
        t.loop.call_later(0.001, future.set_result, "from a timer")
        return await future

    t.equal("the result", t.run(main()), "from a timer")


@case("TASK-002.idle", expected="nothing has run when create_task returns")
def task_made_outside_a_run(t: Trial) -> None:
    """create_task is called before the loop runs."""

    async def main() -> None:
        t.event("started")

    task = t.loop.create_task(main())
    t.saw()
    t.equal("done()", task.done(), False)
    finish(t, task)
    t.saw("started")


@case(
    "TASK-002.running", expected="the caller goes on first; tasks start in the order they were made"
)
def tasks_made_in_a_coroutine(t: Trial) -> None:
    """A coroutine makes two tasks, and waits for them."""

    async def child(name: str) -> None:
        t.event(name)

    async def main() -> None:
        one = asyncio.get_running_loop().create_task(child("one"))
        two = asyncio.get_running_loop().create_task(child("two"))
        t.event("made")
        await one
        await two

    t.run(main())
    t.saw("made", "one", "two")


@case("TASK-002.queue", expected="callback, task, callback: the order of the calls")
def tasks_among_callbacks(t: Trial) -> None:
    """A task is made between two calls of call_soon."""

    async def main() -> None:
        t.event("task")

    t.loop.call_soon(t.event, "callback before")
    task = t.loop.create_task(main())
    t.loop.call_soon(t.event, "callback after")
    finish(t, task)
    t.spin()
    t.saw("callback before", "task", "callback after")


@case("TASK-003.class", expected="an asyncio.Task of this loop, with this coroutine")
def class_of_a_task(t: Trial) -> None:
    """What create_task returns is asked what it is."""
    coroutine = nothing()
    task = t.loop.create_task(coroutine)
    t.true("it is an asyncio.Task", isinstance(task, asyncio.Task))
    t.true("get_loop() is the loop", task.get_loop() is t.loop)
    t.true("get_coro() is the coroutine", task.get_coro() is coroutine)
    finish(t, task)


@case("TASK-003.result", expected="the result, the exception, the cancellation")
def ends_of_tasks(t: Trial) -> None:
    """One task returns, one raises, one is cancelled while it waits."""
    wanted = LookupError("ours")

    async def give() -> str:
        await asyncio.sleep(0)
        return "result"

    async def fail() -> None:
        await asyncio.sleep(0)
        raise wanted

    async def main() -> None:
        gives, fails = t.loop.create_task(give()), t.loop.create_task(fail())
        waits = t.loop.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        t.equal("cancel() returns", waits.cancel(), True)
        await asyncio.wait([gives, fails, waits])
        t.equal("result()", gives.result(), "result")
        t.true("exception() is the very exception", fails.exception() is wanted)
        t.equal("cancelled()", waits.cancelled(), True)
        t.equal("cancel() of a task that is done", gives.cancel(), False)

    t.run(main())


@case("TASK-004.given", expected="the name that was given, also inside the task")
def name_that_was_given(t: Trial) -> None:
    """A task is made with name=, and asks itself for its name."""

    async def main() -> str:
        task = asyncio.current_task()
        return task.get_name() if task else ""

    task = t.loop.create_task(main(), name="ours")
    t.equal("get_name()", task.get_name(), "ours")
    t.equal("get_name() inside", t.loop.run_until_complete(task), "ours")


@case("TASK-004.automatic", expected="'Task-' and a number, a different one each time")
def automatic_names(t: Trial) -> None:
    """Tasks are made without name=, and with name=None."""
    tasks = [t.loop.create_task(nothing()), t.loop.create_task(nothing(), name=None)]
    names = [task.get_name() for task in tasks]
    t.note("names", names)
    t.true("both are 'Task-' and a number", all(re.fullmatch(r"Task-\d+", n) for n in names))
    t.true("they differ", names[0] != names[1])
    finish(t, *tasks)


@case("TASK-004.in-turn", expected="each task gets what was given to it, and nothing else")
def names_and_contexts_in_turn(t: Trial) -> None:
    """Tasks are made with context=, with name=, with both in both orders, and the same again."""

    async def main() -> tuple[str, str]:
        task = asyncio.current_task()
        return variable.get(), task.get_name() if task else ""

    def given(value: str) -> contextvars.Context:
        context = contextvars.copy_context()
        context.run(variable.set, value)
        return context

    for turn in "ab":
        tasks = [
            t.loop.create_task(main(), context=given(f"{turn}1")),
            t.loop.create_task(main(), name=f"{turn}2"),
            t.loop.create_task(main(), name=f"{turn}3", context=given(f"{turn}3")),
            t.loop.create_task(main(), context=given(f"{turn}4"), name=f"{turn}4"),
        ]
        seen = [t.loop.run_until_complete(task) for task in tasks]
        t.equal(
            "the variable in each",
            [v for v, _ in seen],
            [f"{turn}1", "unset"] + [f"{turn}{n}" for n in (3, 4)],
        )
        t.equal("the names given", [n for _, n in seen[1:]], [f"{turn}{n}" for n in (2, 3, 4)])


@case("TASK-005.given", expected="the coroutine runs in the very Context that was given")
def context_that_was_given(t: Trial) -> None:
    """A task is made with context=, reads a variable of it and sets it, around a suspension."""
    context = contextvars.copy_context()
    context.run(variable.set, "given")

    async def main() -> None:
        t.event(variable.get())
        variable.set("set by the task")
        await asyncio.sleep(0)
        t.event(variable.get())

    task = t.loop.create_task(main(), context=context)
    t.true("get_context() is it", not hasattr(task, "get_context") or task.get_context() is context)
    finish(t, task)
    t.saw("given", "set by the task")
    t.equal("the variable in the Context afterwards", context[variable], "set by the task")
    t.equal("the variable outside", variable.get(), "unset")


@case("TASK-005.copied", expected="the value of that time; what it sets is seen nowhere else")
def context_that_was_copied(t: Trial) -> None:
    """A coroutine makes a task without context=, changes a variable, and waits for the task,
    which changes it, too."""

    async def child() -> None:
        t.event(f"child reads {variable.get()}")
        variable.set("by the child")
        await asyncio.sleep(0)
        t.event(f"child reads {variable.get()}")

    async def main() -> None:
        variable.set("before")
        task = asyncio.get_running_loop().create_task(child())
        variable.set("after")
        await task
        t.event(f"parent reads {variable.get()}")

    t.run(main())
    t.equal("the variable outside", variable.get(), "unset")
    t.saw("child reads before", "child reads by the child", "parent reads after")


@case("TASK-005.none", expected="a copy of the current context, as without it")
def context_none(t: Trial) -> None:
    """A task is made with context=None."""

    async def main() -> str:
        text = variable.get()
        variable.set("by the task")
        return text

    async def outer() -> None:
        variable.set("outer")
        task = asyncio.get_running_loop().create_task(main(), context=None)
        t.equal("the variable in the task", await task, "outer")
        t.equal("the variable outside", variable.get(), "outer")

    t.run(outer())


@case("TASK-005.callbacks", expected="done callbacks run in the context of their adding")
def context_of_done_callbacks(t: Trial) -> None:
    """A done callback is added with context=, another without."""
    context = contextvars.copy_context()
    context.run(variable.set, "given")

    async def main() -> None:
        variable.set("of the coroutine")
        task = asyncio.get_running_loop().create_task(nothing())
        task.add_done_callback(lambda _: t.event(variable.get()), context=context)
        task.add_done_callback(lambda _: t.event(variable.get()))
        await task
        await asyncio.sleep(0)

    t.run(main())
    t.saw("given", "of the coroutine")


@case("TASK-021.kinds", variants=("object", "number", "dict"), expected="TypeError, and no task")
def context_that_is_none(t: Trial, kind: str) -> None:
    """create_task is given an object, a number, and a dictionary as context."""
    things: dict[str, Any] = {"object": object(), "number": 1, "dict": {}}
    coroutine = nothing()
    with t.raises(TypeError):
        t.loop.create_task(coroutine, context=things[kind])
    coroutine.close()
    t.equal("tasks of the loop", len(asyncio.all_tasks(t.loop)), 0)


@case("TASK-006.closed", expected="RuntimeError; the coroutine was not started")
def task_on_a_closed_loop(t: Trial) -> None:
    """create_task is called after close(), with and without a task factory."""

    async def main() -> None:
        t.event("started")

    t.loop.set_task_factory(lambda loop, coro, **kw: asyncio.Task(coro, loop=loop, **kw))
    t.loop.close()
    for factory in ("with", "without"):
        coroutine = main()
        with t.raises(RuntimeError, what=f"create_task {factory} a factory"):
            t.loop.create_task(coroutine)
        coroutine.close()
        t.loop.set_task_factory(None)
    t.saw()


@case("TASK-016.all-tasks", expected="the pending tasks of that loop, and no others")
def all_tasks_of_a_loop(t: Trial) -> None:
    """all_tasks() is asked about two loops, outside runs, while one is running, and at the end."""
    other = t.factory()
    gate = t.loop.create_future()

    async def wait() -> None:
        await gate

    ours, theirs = t.loop.create_task(wait()), other.create_task(nothing())
    t.true("of the first loop: ours", asyncio.all_tasks(t.loop) == {ours})
    t.true("of the second loop: theirs", asyncio.all_tasks(other) == {theirs})

    async def main() -> None:
        current = asyncio.current_task()
        t.true("in a run: ours and the one that asks", asyncio.all_tasks() == {ours, current})
        gate.set_result(None)
        await ours
        t.true("when ours is done: the one that asks", asyncio.all_tasks() == {current})

    t.run(main())
    other.run_until_complete(theirs)
    t.equal("of the first loop at the end", len(asyncio.all_tasks(t.loop)), 0)
    t.equal("of the second loop at the end", len(asyncio.all_tasks(other)), 0)


@case("TASK-016.current", expected="the task that runs; None in callbacks and outside")
def current_task(t: Trial) -> None:
    """current_task() is asked in two tasks that take turns, in a callback, and outside."""

    async def child() -> list[str]:
        seen = []
        for _ in range(3):
            task = asyncio.current_task()
            seen.append(task.get_name() if task else "none")
            await asyncio.sleep(0)
        return seen

    tasks = [t.loop.create_task(child(), name="one"), t.loop.create_task(child(), name="two")]
    t.loop.call_soon(lambda: t.event(str(asyncio.current_task())))
    finish(t, *tasks)
    t.equal("in the first", tasks[0].result(), ["one"] * 3)
    t.equal("in the second", tasks[1].result(), ["two"] * 3)
    t.equal("outside", asyncio.current_task(t.loop), None)
    t.saw("None")


@case("TASK-016.dropped", expected="tasks that are done are not kept by anybody")
def finished_tasks_are_dropped(t: Trial) -> None:
    """A task is completed and dropped; only a weak reference is left."""
    task = t.loop.create_task(nothing())
    finish(t, task)
    watched = weakref.ref(task)
    del task
    t.spin()
    t.collect()
    t.true("the task is released", watched() is None)


@case("TASK-020.exc-info", expected="each task sees its own exception, or none")
def exceptions_of_tasks_that_take_turns(t: Trial) -> None:
    """Two tasks each handle an exception while they take turns; a third handles none."""

    async def handle(error: Exception) -> None:
        try:
            raise error
        except Exception:
            for _ in range(3):
                await asyncio.sleep(0)
                t.event(f"{error}: {sys.exc_info()[1]}")

    async def calm() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            t.event(f"calm: {sys.exc_info()[1]}")

    tasks = [
        t.loop.create_task(made)
        for made in (handle(LookupError("one")), handle(ValueError("two")), calm())
    ]
    finish(t, *tasks)
    t.saw(*["one: one", "two: two", "calm: None"] * 3)


@case("TASK-020.context", expected="each task reads what it has set itself")
def variables_of_tasks_that_take_turns(t: Trial) -> None:
    """Three tasks set the same context variable and read it after each suspension: sleep(0), a
    timer, a future."""

    async def child(name: str) -> list[str]:
        variable.set(name)
        seen = []
        for pause in (0, 0.001, 0):
            await asyncio.sleep(pause)
            seen.append(variable.get())
        future: asyncio.Future[None] = t.loop.create_future()
        t.loop.call_soon(future.set_result, None)
        await future
        return [*seen, variable.get()]

    tasks = [t.loop.create_task(child(name)) for name in "abc"]
    finish(t, *tasks)
    t.equal("what they read", [task.result() for task in tasks], [[n] * 4 for n in "abc"])
    t.equal("the variable outside", variable.get(), "unset")
