"""TASK: task factories, eager tasks, and the keywords that reach them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

Options = dict[str, Any]

EAGER: Any = getattr(asyncio, "eager_task_factory", None)  # 3.12 and newer


async def nothing() -> None:
    pass


def recording(seen: list[Options]) -> Callable[..., asyncio.Task[Any]]:
    """A task factory that keeps the keywords it is given."""

    def factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        seen.append(options)
        return asyncio.Task(coro, loop=loop, **options)

    return factory


def finish(t: Trial, task: Any) -> Any:
    return t.loop.run_until_complete(task)


@case("TASK-007.called", expected="called with the loop and the coroutine; its result is returned")
def factory_is_called(t: Trial) -> None:
    """A task factory is set, and create_task is called."""
    seen: list[tuple[object, object]] = []
    made: list[asyncio.Task[Any]] = []

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append((loop, coro))
        made.append(asyncio.Task(coro, loop=loop, **options))
        return made[0]

    t.loop.set_task_factory(factory)
    coroutine = nothing()
    task = t.loop.create_task(coroutine)
    t.equal("times it was called", len(seen), 1)
    t.true("the first argument is the loop", seen[0][0] is t.loop)
    t.true("the second argument is the coroutine", seen[0][1] is coroutine)
    t.true("create_task returns what it returned", task is made[0])
    finish(t, task)


@case("TASK-007.none", expected="the factory is not called any more")
def factory_is_removed(t: Trial) -> None:
    """A task factory is set, and removed with None."""
    seen: list[Options] = []
    t.loop.set_task_factory(recording(seen))
    t.loop.set_task_factory(None)
    task = t.loop.create_task(nothing())
    t.equal("times it was called", len(seen), 0)
    t.true("the task is an asyncio.Task", isinstance(task, asyncio.Task))
    finish(t, task)


@case("TASK-007.everywhere", expected="called for each of them")
def factory_for_every_task(t: Trial) -> None:
    """A task factory is set; tasks are made by run_until_complete, asyncio.create_task,
    ensure_future, gather and a TaskGroup."""
    seen: list[Options] = []
    t.loop.set_task_factory(recording(seen))

    async def main() -> list[int]:
        counts = [len(seen)]
        await asyncio.create_task(nothing())
        counts.append(len(seen))
        await asyncio.ensure_future(nothing())
        counts.append(len(seen))
        await asyncio.gather(nothing(), nothing())
        counts.append(len(seen))
        async with asyncio.TaskGroup() as group:
            group.create_task(nothing())
        counts.append(len(seen))
        return counts

    t.equal("times it was called, added up", t.loop.run_until_complete(main()), [1, 2, 3, 5, 6])


@case("TASK-007.per-loop", expected="called for its own loop only")
def factory_of_one_loop(t: Trial) -> None:
    """A task factory is set on one of two loops."""
    other = t.factory()
    seen: list[Options] = []
    t.loop.set_task_factory(recording(seen))
    other.run_until_complete(nothing())
    t.equal("times it was called for the other loop", len(seen), 0)
    t.equal("the other loop's factory", other.get_task_factory(), None)
    t.loop.run_until_complete(nothing())
    t.equal("times it was called for its own", len(seen), 1)


@case("TASK-007.raises", expected="the factory's exception, out of create_task")
def factory_that_raises(t: Trial) -> None:
    """A task factory raises."""

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        raise LookupError("ours")

    t.loop.set_task_factory(factory)
    coroutine = nothing()
    with t.raises(LookupError):
        t.loop.create_task(coroutine)
    coroutine.close()


@case("TASK-007.name", expected="the name that was given")
def name_with_a_factory(t: Trial) -> None:
    """A task factory is set, and create_task is called with name=."""
    t.loop.set_task_factory(recording([]))
    task = t.loop.create_task(nothing(), name="ours")
    t.equal("get_name()", task.get_name(), "ours")
    finish(t, task)


@case("TASK-004.factory", expected="'Task-' and a number, not 'None'")
def automatic_name_with_a_factory(t: Trial) -> None:
    """A task factory is set, and create_task is called without name=."""
    t.loop.set_task_factory(recording([]))
    task = t.loop.create_task(nothing())
    t.true(f"the name {task.get_name()!r} is 'Task-…'", task.get_name().startswith("Task-"))
    finish(t, task)


@case(
    "TASK-008.kinds", variants=("number", "text", "object"), expected="TypeError; nothing changes"
)
def factory_that_cannot_be_called(t: Trial, kind: str) -> None:
    """set_task_factory is given a number, a text, or an object; another factory is set before."""
    factory = recording([])
    t.loop.set_task_factory(factory)
    things: dict[str, Any] = {"number": 1, "text": "no factory", "object": object()}
    with t.raises(TypeError):
        t.loop.set_task_factory(things[kind])
    t.true("the factory is the one from before", t.loop.get_task_factory() is factory)


@case("TASK-009.states", expected="None, the factory, None")
def factory_is_returned(t: Trial) -> None:
    """get_task_factory is called before a factory is set, after, and after it was removed."""
    factory = recording([])
    t.equal("before", t.loop.get_task_factory(), None)
    t.loop.set_task_factory(factory)
    t.true("after: the very factory", t.loop.get_task_factory() is factory)
    t.loop.set_task_factory(None)
    t.equal("removed", t.loop.get_task_factory(), None)


def keywords_given(t: Trial, **options: Any) -> Options:
    """What a factory is given by create_task with these options."""
    seen: list[Options] = []
    t.loop.set_task_factory(recording(seen))
    finish(t, t.loop.create_task(nothing(), **options))
    t.equal("times the factory was called", len(seen), 1)
    return seen[0]


@case(
    "TASK-010.none", until="3.13", expected="no keywords: factories written as f(loop, coro) work"
)
@case(
    "TASK-010.none-again",
    since="3.13.4",
    until="3.13",
    expected="no keywords: factories written as f(loop, coro) work again",
)
def keywords_without_options(t: Trial) -> None:
    """create_task is called without options, with a factory that takes (loop, coro) only."""
    t.loop.set_task_factory(lambda loop, coro: asyncio.Task(coro, loop=loop))
    task = t.loop.create_task(nothing())
    t.equal("the result", finish(t, task), None)


@case("TASK-010.context", expected="context= with the very Context")
def keywords_with_a_context(t: Trial) -> None:
    """create_task is called with context=, with a task factory set."""
    context = contextvars.copy_context()
    given = keywords_given(t, context=context)
    t.true("context= is the very Context", given.get("context") is context)


@case("TASK-010.exact", since="3.14", expected="just the keywords that create_task was given")
def keywords_are_handed_on(t: Trial) -> None:
    """create_task is called without options, with a name, and with a name and a context, with a
    task factory set. That further keywords are there, with None, nothing forbids."""
    context = contextvars.copy_context()
    asked: list[Options] = [{}, {"name": "ours"}, {"name": "ours", "context": context}]
    for options in asked:
        given = keywords_given(t, **options)
        if given.keys() - options.keys():
            t.non_strict(f"hands on more than it was given: {sorted(given)}")
        t.equal("the keywords", without_none(given), options)


def without_none(options: Options) -> Options:
    return {word: value for word, value in options.items() if value is not None}


@case("TASK-011.synchronous", expected="started and done when create_task returns; no callback")
def eager_task_that_never_waits(t: Trial) -> None:
    """With eager_task_factory a task is made whose coroutine never suspends."""

    async def child() -> str:
        t.event("child")
        return "result"

    async def main() -> str:
        t.loop.set_task_factory(EAGER)
        task = asyncio.create_task(child())
        t.event("made")
        t.equal("done()", task.done(), True)
        t.true("it is an asyncio.Task", isinstance(task, asyncio.Task))
        return await task

    t.equal("the result", t.run(main()), "result")
    t.saw("child", "made")


@case("TASK-011.suspended", expected="runs up to the first suspension, the rest in a later turn")
def eager_task_that_waits(t: Trial) -> None:
    """With eager_task_factory a task is made whose coroutine suspends itself once."""

    async def child() -> None:
        t.event("begin")
        await asyncio.sleep(0)
        t.event("end")

    async def main() -> None:
        t.loop.set_task_factory(EAGER)
        task = asyncio.create_task(child(), name="eager")
        t.event("made")
        t.equal("done()", task.done(), False)
        t.equal("get_name()", task.get_name(), "eager")
        await task

    t.run(main())
    t.saw("begin", "made", "end")


@case("TASK-011.current", expected="the eager task inside, the outer one afterwards")
def current_task_of_eager_tasks(t: Trial) -> None:
    """current_task() is asked in an eager task, and after create_task has returned."""
    seen: list[object] = []

    async def child() -> None:
        seen.append(asyncio.current_task())

    async def main() -> None:
        t.loop.set_task_factory(EAGER)
        outer = asyncio.current_task()
        task = asyncio.create_task(child())
        t.true("inside it is the eager task", seen == [task])
        t.true("afterwards it is the outer task", asyncio.current_task() is outer)
        await task

    t.run(main())


@case("TASK-011.context", expected="a copy of the context; the caller's is not changed")
def context_of_eager_tasks(t: Trial) -> None:
    """An eager task reads and sets a context variable while create_task runs."""

    async def child() -> None:
        t.event(variable.get())
        variable.set("by the child")

    async def main() -> None:
        t.loop.set_task_factory(EAGER)
        variable.set("of the caller")
        await asyncio.create_task(child())
        t.event(variable.get())

    t.run(main())
    t.saw("of the caller", "of the caller")


@case("TASK-011.exception", expected="the task's exception; create_task does not raise")
def eager_task_that_raises(t: Trial) -> None:
    """An eager task raises before it suspends."""

    async def child() -> None:
        raise LookupError("ours")

    async def main() -> None:
        t.loop.set_task_factory(EAGER)
        task = asyncio.create_task(child())
        t.equal("done()", task.done(), True)
        with t.raises(LookupError, what="awaiting it"):
            await task

    t.run(main())


@case("TASK-011.idle", expected="not started before the loop runs; then it is completed")
def eager_factory_outside_a_run(t: Trial) -> None:
    """With eager_task_factory set on a loop that is not running, run_until_complete is given a
    coroutine, which makes an eager task."""

    async def child() -> str:
        return "eager"

    async def main() -> str:
        task = asyncio.create_task(child())
        t.equal("done() of the task inside", task.done(), True)
        return await task

    t.loop.set_task_factory(EAGER)
    t.equal("the result", t.run(main()), "eager")


@case("TASK-012.on", expected="started while create_task runs")
def eager_start_without_a_factory(t: Trial) -> None:
    """create_task(eager_start=True) is called, without a task factory."""

    async def child() -> None:
        t.event("child")

    async def main() -> None:
        task = t.loop.create_task(child(), eager_start=True)  # type: ignore[call-arg]
        t.event("made")
        t.equal("done()", task.done(), True)
        await task

    t.run(main())
    t.saw("child", "made")


@case("TASK-012.off", expected="not started before create_task returns")
def eager_start_off(t: Trial) -> None:
    """create_task(eager_start=False) is called, with eager_task_factory."""

    async def child() -> None:
        t.event("child")

    async def main() -> None:
        t.loop.set_task_factory(EAGER)
        task = t.loop.create_task(child(), eager_start=False)  # type: ignore[call-arg]
        t.event("made")
        await task

    t.run(main())
    t.saw("made", "child")


@case("TASK-012.asyncio", expected="started while asyncio.create_task runs")
def eager_start_by_asyncio_create_task(t: Trial) -> None:
    """asyncio.create_task(eager_start=True) is called, with a name and without a factory."""

    async def child() -> None:
        t.event("child")

    async def main() -> None:
        task = asyncio.create_task(child(), name="ours", eager_start=True)  # type: ignore[call-arg]
        t.event("made")
        t.equal("get_name()", task.get_name(), "ours")
        await task

    t.run(main())
    t.saw("child", "made")


@case("TASK-013.unknown", expected="TypeError from the Task; no task is left")
def unknown_keyword_without_a_factory(t: Trial) -> None:
    """create_task is called with a keyword that Task does not know."""
    coroutine = nothing()
    with t.raises(TypeError):
        t.loop.create_task(coroutine, no_such_keyword=1)  # type: ignore[call-arg]
    coroutine.close()
    t.equal("tasks of the loop", len(asyncio.all_tasks(t.loop)), 0)


@case("TASK-013.factory", expected="the factory is given the keyword")
def unknown_keyword_with_a_factory(t: Trial) -> None:
    """create_task is called with a keyword that only the task factory knows."""
    seen: list[Options] = []

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append(without_none(options))
        return asyncio.Task(coro, loop=loop)

    t.loop.set_task_factory(factory)
    finish(t, t.loop.create_task(nothing(), of_ours="x"))  # type: ignore[call-arg]
    t.equal("what the factory was given", seen, [{"of_ours": "x"}])
