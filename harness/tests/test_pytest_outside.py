"""A loop within a loop on one thread, on every version's idea of what is current."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest

from loopgauge.harness.pytesting.choice import without, words
from loopgauge.harness.pytesting.outside import outside_of_loops
from loopgauge.harness.pytesting.work import Call, Work
from loopgauge.loops import registry

LOOPS = [
    name
    for name in ("asyncio", "epoll", "uvloop")
    if registry.availability(registry.resolve(name)).ok
]
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    return registry.new_loop(registry.resolve(name))


@pytest.mark.parametrize("inner", LOOPS)
@pytest.mark.parametrize("outer", LOOPS)
def test_another_loop_runs_while_one_stands_still(outer: str, inner: str) -> None:
    def within() -> str:
        with outside_of_loops():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            loop = new_loop(inner)
            try:
                return loop.run_until_complete(inside())
            finally:
                loop.close()

    async def inside() -> str:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0, "done"))
        return await task

    async def generate():
        yield 1
        yield 2

    async def main() -> list[object]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        hooks = sys.get_asyncgen_hooks()
        found: list[object] = [within()]
        async with asyncio.timeout(60):
            found.append(within())
            await asyncio.sleep(0)
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert sys.get_asyncgen_hooks() == hooks
        async for item in generate():
            found.append(item)
            break
        return found

    loop = new_loop(outer)
    try:
        assert loop.run_until_complete(main()) == ["done", "done", 1]
        loop.run_until_complete(loop.shutdown_asyncgens())
        called: list[str] = []
        # From a callback there is a running loop, and no task.
        loop.call_soon(lambda: called.append(within()))
        loop.run_until_complete(asyncio.sleep(0.001))
        assert called == ["done"]
    finally:
        loop.close()


def test_what_fails_inside_leaves_the_outer_loop_whole() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        with pytest.raises(ZeroDivisionError), outside_of_loops():
            _ = 1 / 0
        assert asyncio.current_task() is task
        await asyncio.sleep(0)

    asyncio.run(main())


def test_without_a_running_loop_nothing_changes() -> None:
    with outside_of_loops():
        assert asyncio.run(asyncio.sleep(0, 5)) == 5


def test_work_leaves_nothing_running() -> None:
    """Tasks that the function left behind are cancelled when the loop is closed."""
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    kept: list[asyncio.Task[None]] = []

    async def leave_one() -> int:
        kept.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)
        return len(kept)

    loop = asyncio.new_event_loop()
    work = Work(loop, Call(leave_one))
    work.open()
    assert work.run(2) == 2
    assert work.result == 3
    work.close()
    assert ended == ["cancelled"] * 3
    assert loop.is_closed()


@pytest.mark.parametrize(
    ("parameters", "given", "left"),
    [
        ("epoll", "epoll", ""),
        ("small-epoll", "epoll", "small"),
        ("epoll-small", "epoll", "small"),
        ("1-my.pkg:new_loop-2", "my.pkg:new_loop", "1-2"),
        ("small", "epoll", "small"),
        ("epoll2-epoll", "epoll", "epoll2"),
        ("1-epoll2-epoll-x", "epoll", "1-epoll2-x"),
    ],
)
def test_the_loop_is_taken_out_of_a_tests_name(parameters: str, given: str, left: str) -> None:
    assert without(parameters, given) == left


def test_names_come_in_any_separation_once() -> None:
    assert words(["epoll, uvloop", "asyncio epoll"]) == ("epoll", "uvloop", "asyncio")
