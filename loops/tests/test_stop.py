"""run_forever, run_until_complete, stop and close: exactly the turns that are promised."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import warnings

import pytest
from loop_testing.compare import on_both, outcome, run_once


def test_stop_before_run_runs_what_is_queued_once(loop) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        loop.call_soon(ran.append, "next turn")

    loop.call_soon(first)
    loop.stop()
    loop.run_forever()
    assert ran == ["first"]
    loop.stop()
    loop.run_forever()
    assert ran == ["first", "next turn"]


def test_stop_lets_the_turn_finish_and_no_more(loop) -> None:
    ran: list[str] = []

    def stopper() -> None:
        loop.stop()
        ran.append("stopper")
        loop.call_soon(ran.append, "next turn")

    loop.call_soon(ran.append, "before")
    loop.call_soon(stopper)
    loop.call_soon(ran.append, "after")
    loop.run_forever()
    assert ran == ["before", "stopper", "after"]
    run_once(loop)
    assert ran == ["before", "stopper", "after", "next turn"]


def test_stop_polls_and_takes_due_timers_of_its_turn() -> None:
    """A timer that is due when the turn begins runs in it."""

    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        ran: list[str] = []
        loop.call_at(loop.time() - 1, ran.append, "due")
        loop.call_soon(ran.append, "queued")
        loop.stop()
        loop.run_forever()
        return sorted(ran)

    assert on_both(scenario) == ["due", "queued"]


def test_stop_from_a_timer(loop) -> None:
    ran: list[str] = []
    when = loop.time() - 1
    loop.call_at(when, loop.stop)
    loop.call_at(when + 0.1, ran.append, "same turn")
    loop.run_forever()
    assert ran == ["same turn"]


def test_stop_is_idempotent_and_does_not_accumulate(loop) -> None:
    turns: list[int] = []

    def turn() -> None:
        turns.append(1)
        loop.call_soon(turn)

    loop.call_soon(turn)
    for _ in range(3):
        loop.stop()
    loop.run_forever()
    assert len(turns) == 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert len(turns) == 2


def test_pending_callbacks_survive_a_stop(loop) -> None:
    ran: list[int] = []
    loop.stop()
    loop.run_forever()
    loop.call_soon(ran.append, 1)
    timer = loop.call_later(0, ran.append, 2)
    run_once(loop)
    run_once(loop)
    assert sorted(ran) == [1, 2]
    timer.cancel()


def test_run_until_complete_returns_and_raises(loop) -> None:
    async def good() -> int:
        return 5

    async def bad() -> None:
        raise KeyError("bad")

    assert loop.run_until_complete(good()) == 5
    with pytest.raises(KeyError):
        loop.run_until_complete(bad())
    future = loop.create_future()
    future.set_result(6)
    assert loop.run_until_complete(future) == 6


def test_run_until_complete_of_an_awaitable(loop) -> None:
    class Awaitable:
        def __await__(self):
            return (yield from asyncio.sleep(0, "awaited").__await__())

    assert loop.run_until_complete(Awaitable()) == "awaited"


def test_run_until_complete_counts_turns() -> None:
    """The loop stops in the turn in which the done-callback runs: others see that."""

    def scenario(loop: asyncio.AbstractEventLoop) -> int:
        turns: list[int] = []

        def turn() -> None:
            turns.append(1)
            loop.call_soon(turn)

        async def work() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        loop.call_soon(turn)
        loop.run_until_complete(work())
        return len(turns)

    on_both(scenario)


def test_stopped_before_completion(loop) -> None:
    async def never() -> None:
        loop.stop()
        await asyncio.Event().wait()

    task = loop.create_task(never())
    with pytest.raises(RuntimeError, match="Event loop stopped before Future completed"):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_future_of_another_loop(loop, loop_factory) -> None:
    other = loop_factory()
    future = other.create_future()
    with pytest.raises(ValueError, match="loop"):
        loop.run_until_complete(future)
    other.close()


@pytest.mark.parametrize("thing", [None, 1, "text", object(), print])
def test_what_cannot_be_awaited(loop, thing: object) -> None:
    with pytest.raises(TypeError):
        loop.run_until_complete(thing)
    assert loop.run_until_complete(asyncio.sleep(0, "usable")) == "usable"


@pytest.mark.parametrize("which", ["this", "another"])
@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_nested_run_is_refused(loop, loop_factory, which: str, method: str) -> None:
    """One refusal per loop: stock 3.13.0 forgets that it runs when it refuses."""
    text = {
        "this": "This event loop is already running",
        "another": "Cannot run the event loop while another loop is running",
    }[which]
    other = loop_factory()
    coroutine = asyncio.sleep(0)

    async def main() -> None:
        runner = loop if which == "this" else other
        args = [coroutine] if method == "run_until_complete" else []
        with pytest.raises(RuntimeError, match=text):
            getattr(runner, method)(*args)

    loop.run_until_complete(main())
    coroutine.close()
    other.close()


def test_close_while_running_is_refused(loop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
            loop.close()

    loop.run_until_complete(main())
    assert not loop.is_closed()


def test_refused_run_schedules_nothing(loop) -> None:
    ran: list[int] = []

    async def inner() -> None:
        ran.append(1)

    async def main() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(RuntimeError):
                loop.run_until_complete(inner())
            gc.collect()
        await asyncio.sleep(0)
        assert ["never awaited" in str(warning.message) for warning in caught] == [True]

    loop.run_until_complete(main())
    assert ran == []


def test_running_state(loop) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(loop.is_running())
        seen.append(asyncio.get_running_loop() is loop)

    assert not loop.is_running()
    loop.call_soon(look)
    run_once(loop)
    assert seen == [True, True]
    assert not loop.is_running()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_run_forever_is_refused_on_a_closed_loop(loop_factory) -> None:
    loop = loop_factory()
    loop.close()
    loop.close()
    assert loop.is_closed()
    coroutine = asyncio.sleep(0)
    for call in (
        loop.run_forever,
        lambda: loop.run_until_complete(coroutine),
        lambda: loop.create_task(coroutine),
        lambda: loop.run_in_executor(None, print),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()
    coroutine.close()


def test_close_inside_stop_of_a_closed_loop(loop_factory) -> None:
    """What may still be asked of a closed loop."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        loop.close()
        return (
            loop.is_closed(),
            loop.is_running(),
            outcome(loop.stop),
            outcome(loop.get_debug),
            outcome(loop.remove_reader, 0),
            outcome(loop.remove_writer, 0),
            outcome(loop.add_reader, 0, int),
            outcome(loop.add_writer, 0, int),
            outcome(loop.set_debug, False),
            isinstance(loop.time(), float),
            outcome(loop.remove_signal_handler, 10),
        )

    on_both(scenario)


def test_loop_made_in_one_thread_runs_in_another(loop_factory) -> None:
    loop = loop_factory()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(loop.run_until_complete, asyncio.sleep(0, "there")).result()
    assert answer == "there"
    assert loop.run_until_complete(asyncio.sleep(0, "here")) == "here"
    loop.close()


def test_loops_in_several_threads(loop_factory) -> None:
    def work(name: int) -> list[int]:
        loop = loop_factory()
        seen: list[int] = []

        async def main() -> None:
            for _ in range(200):
                await asyncio.sleep(0)
                assert asyncio.get_running_loop() is loop
                seen.append(name)
            await asyncio.sleep(0.001)

        loop.run_until_complete(main())
        loop.close()
        return seen

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(6)))
    assert results == [[name] * 200 for name in range(6)]


def test_running_from_two_threads_is_refused(loop) -> None:
    raised: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.wait()
        try:
            loop.run_forever()
        except RuntimeError as error:
            raised.append(str(error))
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=second)
    thread.start()
    loop.call_soon(started.set)
    loop.run_forever()
    thread.join()
    assert raised == ["This event loop is already running"]


def test_repr_tells_the_state() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        texts = [repr(loop).partition(" ")[2]]
        loop.call_soon(lambda: texts.append(repr(loop).partition(" ")[2]))
        run_once(loop)
        loop.set_debug(True)
        loop.close()
        return [*texts, repr(loop).partition(" ")[2]]

    on_both(scenario)


def test_loop_takes_attributes_weak_references_and_hash(loop) -> None:
    import weakref

    loop.anything = 5
    assert loop.anything == 5
    assert loop in {loop}
    assert weakref.ref(loop)() is loop
    assert loop in weakref.WeakSet([loop])


def test_interpreter_exits_with_a_loop_left_open() -> None:
    from loop_testing import process

    done = process.python(
        """
        loop = new_loop()
        loop.call_soon(print, "never")
        loop.call_later(1000, print)
        future = loop.create_future()
        other = new_loop()
        threading.Thread(target=other.run_forever, daemon=True).start()
        """
    )
    assert done.returncode == 0, process.describe(done)
