"""create_task and create_future: the version's arguments, factories, patched Task classes."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome, run_once


async def value(result: object = 1) -> object:
    await asyncio.sleep(0)
    return result


def test_future_belongs_to_the_loop(loop) -> None:
    future = loop.create_future()
    assert asyncio.isfuture(future)
    assert isinstance(future, asyncio.Future)
    assert future.get_loop() is loop


def test_task_is_a_task_and_does_not_start_at_once(loop) -> None:
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    task = loop.create_task(work())
    assert type(task) is asyncio.Task
    assert task.get_loop() is loop
    assert ran == []
    loop.run_until_complete(task)
    assert ran == [1]


def test_names(loop) -> None:
    task = loop.create_task(value(), name="mine")
    assert task.get_name() == "mine"
    automatic = loop.create_task(value(), name=None)
    assert automatic.get_name().startswith("Task-")
    number = loop.create_task(value(), name=5)
    assert number.get_name() == "5"
    loop.run_until_complete(asyncio.gather(task, automatic, number))


def test_context(loop) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    context = contextvars.copy_context()
    context.run(variable.set, 4)

    async def get() -> int:
        return variable.get()

    assert loop.run_until_complete(loop.create_task(get(), context=context)) == 4
    assert loop.run_until_complete(loop.create_task(get(), context=None)) == 0
    variable.set(2)
    task = loop.create_task(get())
    variable.set(3)
    assert loop.run_until_complete(task) == 2


BAD = {
    "nothing": lambda loop, coro: loop.create_task(),
    "no coroutine": lambda loop, coro: loop.create_task(5),
    "function": lambda loop, coro: loop.create_task(value),
    "two positional": lambda loop, coro: loop.create_task(coro, "name"),
    "unknown keyword": lambda loop, coro: loop.create_task(coro, colour="red"),
    "loop given": lambda loop, coro: loop.create_task(coro, loop=loop),
    "eager_start": lambda loop, coro: loop.create_task(coro, eager_start=False),
    "eager_start true": lambda loop, coro: loop.create_task(coro, eager_start=True),
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", BAD)
def test_arguments_are_the_versions(name: str) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told: list[object] = []
        loop.set_exception_handler(lambda _, context: told.append(context))
        coroutine = value()
        result = outcome(BAD[name], loop, coroutine)
        if isinstance(result, asyncio.Task):
            done = outcome(loop.run_until_complete, result)
            return "task", done
        coroutine.close()
        return result, loop.run_until_complete(asyncio.sleep(0, "usable"))

    on_both(scenario)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_context_that_is_none_of_ours(loop) -> None:
    """Refused at once or reported later (versions differ): never a crash, never run."""
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    coroutine = work()
    result = outcome(loop.create_task, coroutine, context=5)
    for _ in range(3):
        run_once(loop)
    assert result is TypeError or told
    assert ran == []
    coroutine.close()


def test_coroutine_by_name(loop) -> None:
    assert loop.run_until_complete(loop.create_task(coro=value(3))) == 3


def test_generator_based_coroutines_follow_stock() -> None:
    import types

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        @types.coroutine
        def generator():
            yield
            return 7

        return outcome(lambda: loop.run_until_complete(loop.create_task(generator())))

    on_both(scenario)


def test_factory_gets_what_stock_gives() -> None:
    """The keyword arguments differ between versions, and inside them."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        calls: list[object] = []

        def factory(given_loop: object, coro: object, **kwargs: object) -> object:
            calls.append((given_loop is loop, sorted(kwargs)))
            return asyncio.Task(coro, loop=loop, **kwargs)

        loop.set_task_factory(factory)
        context = contextvars.copy_context()
        tasks = [
            loop.create_task(value()),
            loop.create_task(value(), name="named"),
            loop.create_task(value(), context=context),
            loop.create_task(value(), name="named", context=context),
            loop.create_task(value(), name=None, context=None),
        ]
        loop.run_until_complete(asyncio.gather(*tasks))
        return calls, [task.get_name() == "named" for task in tasks]

    on_both(scenario)


def test_task_of_a_factory_keeps_its_automatic_name(loop) -> None:
    loop.set_task_factory(lambda loop, coro, **kwargs: asyncio.Task(coro, loop=loop, **kwargs))
    tasks = [loop.create_task(value()), loop.create_task(value(), name=None)]
    loop.run_until_complete(asyncio.gather(*tasks))
    assert [task.get_name()[:5] for task in tasks] == ["Task-", "Task-"]


def test_factory_is_checked_and_returned(loop) -> None:
    with pytest.raises(TypeError):
        loop.set_task_factory(5)
    assert loop.get_task_factory() is None

    def factory(loop: object, coro: object, **kwargs: object) -> object:
        return asyncio.Task(coro, loop=loop, **kwargs)

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    loop.set_task_factory(None)
    assert loop.get_task_factory() is None
    assert type(loop.create_task(value()).cancel()) is bool
    run_once(loop)


def test_factory_may_return_another_class(loop) -> None:
    class Special(asyncio.Task):
        pass

    loop.set_task_factory(lambda loop, coro, **kwargs: Special(coro, loop=loop, **kwargs))
    task = loop.create_task(value(8))
    assert type(task) is Special
    assert loop.run_until_complete(task) == 8


@pytest.mark.parametrize("where", ["asyncio.tasks.Task", "asyncio.tasks._PyTask"])
def test_replaced_task_class_is_honoured(loop, monkeypatch, where: str) -> None:
    """`asyncio.tasks.Task` is looked up at the call: some libraries replace it."""
    if where == "asyncio.tasks._PyTask":
        replacement = asyncio.tasks._PyTask
    else:

        class Replacement(asyncio.Task):
            pass

        replacement = Replacement
    monkeypatch.setattr(asyncio.tasks, "Task", replacement)
    task = loop.create_task(value(6), name="replaced")
    assert type(task) is replacement
    assert loop.run_until_complete(task) == 6
    monkeypatch.undo()
    after = loop.create_task(value())
    assert type(after) is asyncio.Task
    loop.run_until_complete(after)


def test_replaced_by_a_function(loop, monkeypatch) -> None:
    original = asyncio.tasks.Task
    calls: list[dict[str, object]] = []

    def make(coro: object, **kwargs: object) -> object:
        calls.append(kwargs)
        return original(coro, **kwargs)

    monkeypatch.setattr(asyncio.tasks, "Task", make)
    loop.run_until_complete(loop.create_task(value()))
    assert calls[0]["loop"] is loop


def test_overridden_create_future_and_create_task(loop_factory) -> None:
    """asyncio's own code goes through these methods: an override must be seen there."""
    made: list[str] = []
    probe = loop_factory()
    probe.close()

    class Loop(type(probe)):  # type: ignore[misc]
        def create_future(self) -> asyncio.Future[object]:
            made.append("future")
            return super().create_future()

        def create_task(self, coro: object, **kwargs: object) -> asyncio.Task[object]:
            made.append("task")
            return super().create_task(coro, **kwargs)

    loop = Loop()

    async def main() -> None:
        await asyncio.sleep(0.0001)
        await asyncio.create_task(value())

    loop.run_until_complete(main())
    loop.close()
    assert made.count("task") == 2
    assert made.count("future") >= 1


def test_source_traceback_in_debug_mode(loop) -> None:
    """Nothing real may be cut off: stock cuts its own frame, a native one adds none."""
    loop.set_debug(True)
    here = "test_source_traceback_in_debug_mode"
    task = loop.create_task(value())
    future = loop.create_future()
    loop.run_until_complete(task)
    assert task._source_traceback[-1].name == here
    # Stock keeps its own create_future as the last frame.
    assert here in [frame.name for frame in future._source_traceback[-2:]]


def test_all_tasks_and_current_task(loop) -> None:
    async def main() -> None:
        this = asyncio.current_task()
        other = asyncio.create_task(value())
        assert asyncio.all_tasks() == {this, other}
        await other
        assert asyncio.all_tasks(loop) == {this}

    loop.run_until_complete(main())
    assert asyncio.all_tasks(loop) == set()
    assert asyncio.current_task(loop) is None


def test_gather_wait_shield_timeout_taskgroup(loop) -> None:
    async def main() -> list[object]:
        results: list[object] = [await asyncio.gather(*(value(i) for i in range(50)))]
        done, pending = await asyncio.wait([asyncio.create_task(value(i)) for i in range(3)])
        results.append((len(done), len(pending)))
        results.append(await asyncio.shield(value("shielded")))
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            results.append("timeout")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(value(i)) for i in range(5)]
        results.append([task.result() for task in tasks])
        results.append([await future for future in asyncio.as_completed([value(1)])])
        results.append(await asyncio.wait_for(value("in time"), 60))
        return results

    assert loop.run_until_complete(main()) == [
        list(range(50)),
        (3, 0),
        "shielded",
        "timeout",
        list(range(5)),
        [1],
        "in time",
    ]


def test_cancellation(loop) -> None:
    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0)
        task.cancel("reason")
        try:
            await task
        except asyncio.CancelledError as error:
            return str(error)
        return "not cancelled"

    assert loop.run_until_complete(main()) == "reason"


eager = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")


@eager
def test_eager_factory(loop) -> None:
    loop.set_task_factory(asyncio.eager_task_factory)

    async def at_once() -> int:
        return 5

    async def main() -> list[object]:
        quick = asyncio.create_task(at_once(), name="quick")
        slow = asyncio.create_task(value(6))
        return [quick.done(), quick.result(), quick.get_name(), slow.done(), await slow]

    assert loop.run_until_complete(main()) == [True, 5, "quick", False, 6]


@eager
def test_eager_tasks_see_themselves(loop) -> None:
    loop.set_task_factory(asyncio.eager_task_factory)

    async def who() -> bool:
        return asyncio.current_task() in asyncio.all_tasks()

    async def main() -> bool:
        return await asyncio.create_task(who())

    assert loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info < (3, 14), reason="eager_start came with 3.14")
def test_eager_start_argument(loop) -> None:
    async def at_once() -> int:
        return 5

    async def main() -> list[object]:
        eager = loop.create_task(at_once(), eager_start=True)
        lazy = loop.create_task(at_once(), eager_start=False)
        return [eager.done(), lazy.done(), await lazy]

    assert loop.run_until_complete(main()) == [True, False, 5]


def test_closed_loop_refuses_and_closes_nothing(loop_factory) -> None:
    loop = loop_factory()
    loop.close()
    coroutine = value()
    with pytest.raises(RuntimeError, match="closed"):
        loop.create_task(coroutine)
    coroutine.close()


def test_python_task_class_as_default() -> None:
    """Where the C accelerator is missing, the pure Python Task must be what is made."""
    said = process.output(
        """
        import sys
        sys.modules["_asyncio"] = None
        import asyncio
        from loop_testing import target
        loop = target.target_factory()()
        async def main():
            return type(asyncio.current_task()).__module__
        print(loop.run_until_complete(main()))
        loop.close()
        """,
        prologue="",
    )
    assert said == "asyncio.tasks\n"
