"""Other people's code reaches inside: overrides and patches are honoured, never ignored.

A subclass, an instance patch or a patched class that replaces what asyncio's scheduler calls
must be called by a native scheduler too (a slow path is fine).
"""

from __future__ import annotations

import asyncio
import collections
import heapq
import os
import signal
import socket
import time

import pytest
from loop_testing.compare import run_once


@pytest.fixture
def loop_class(loop_factory) -> type:
    loop = loop_factory()
    loop.close()
    return type(loop)


async def steps(count: int) -> str:
    for _ in range(count):
        await asyncio.sleep(0)
    return "done"


WAYS = ["subclass", "instance"]


def overridden(way: str, loop_class: type, name: str, make) -> asyncio.AbstractEventLoop:
    """A loop whose method `name` is `make(original)`, by a subclass or on the instance."""
    if way == "subclass":
        original = getattr(loop_class, name)

        def method(self: object, *args: object, **kwargs: object) -> object:
            return make(lambda *a, **k: original(self, *a, **k))(*args, **kwargs)

        return type("Overridden", (loop_class,), {name: method})()
    loop = loop_class()
    setattr(loop, name, make(getattr(loop, name)))
    return loop


def counting(calls: list[object]):
    """make() for overridden(): notes the arguments and goes on to the original."""

    def make(original):
        def replacement(*args: object, **kwargs: object) -> object:
            calls.append((args, kwargs))
            return original(*args, **kwargs)

        return replacement

    return make


@pytest.mark.parametrize("way", WAYS)
def test_run_once(loop_class, way: str) -> None:
    """CPython's own test_timeout_rounding counts turns this way, nest_asyncio replaces it."""
    calls: list[object] = []
    loop = overridden(way, loop_class, "_run_once", counting(calls))
    assert loop.run_until_complete(steps(10)) == "done"
    loop.close()
    assert len(calls) >= 10


@pytest.mark.parametrize("way", WAYS)
def test_run_once_patched_while_running(loop_class, way: str) -> None:
    if way == "subclass":
        pytest.skip("a class cannot be changed for one loop")
    calls: list[object] = []
    loop = loop_class()

    async def main() -> None:
        await asyncio.sleep(0)
        loop._run_once = counting(calls)(loop._run_once)
        await steps(10)

    loop.run_until_complete(main())
    loop.close()
    assert len(calls) >= 9


@pytest.mark.parametrize("way", WAYS)
def test_time(loop_class, way: str) -> None:
    """A clock of ones own decides when timers are due: an hour passes in no time."""
    offset = [0.0]

    def make(original):
        return lambda: original() + offset[0]

    loop = overridden(way, loop_class, "time", make)
    ran: list[float] = []
    start = loop.time()
    loop.call_later(3600, lambda: ran.append(loop.time() - start))
    run_once(loop)
    run_once(loop)
    assert ran == []
    offset[0] = 3601.0
    run_once(loop)
    run_once(loop)
    assert len(ran) == 1
    assert ran[0] >= 3601
    loop.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["call_soon", "_call_soon"])
def test_call_soon(loop_class, way: str, name: str) -> None:
    """Tasks and futures schedule through the loop's public call_soon."""
    calls: list[object] = []
    loop = overridden(way, loop_class, name, counting(calls))
    assert loop.run_until_complete(steps(5)) == "done"
    loop.close()
    assert len(calls) >= (6 if name == "call_soon" else 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["call_at", "call_later", "_timer_handle_cancelled", "_add_callback"]
)
def test_call_at_and_its_kin(loop_class, way: str, name: str) -> None:
    """asyncio.sleep goes call_later -> call_at; cancelling tells the loop."""
    calls: list[object] = []
    loop = overridden(way, loop_class, name, counting(calls))

    async def main() -> None:
        await asyncio.sleep(0.0001)
        loop.call_later(1000, int).cancel()

    loop.run_until_complete(main())
    loop.close()
    if name in ("call_later", "call_at"):
        assert len(calls) == 2
    elif name == "_timer_handle_cancelled":
        assert len(calls) >= 1


@pytest.mark.parametrize("way", WAYS)
def test_call_soon_threadsafe(loop_class, way: str) -> None:
    calls: list[object] = []
    loop = overridden(way, loop_class, "call_soon_threadsafe", counting(calls))
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert calls


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["_process_events", "_add_reader", "_remove_reader"])
def test_selector_seams(loop_class, way: str, name: str) -> None:
    calls: list[object] = []
    loop = overridden(way, loop_class, name, counting(calls))
    left, right = socket.socketpair()
    loop.add_reader(right, loop.stop)
    left.send(b"x")
    loop.run_forever()
    loop.remove_reader(right)
    loop.close()
    left.close()
    right.close()
    assert calls


@pytest.mark.parametrize("way", WAYS)
def test_process_self_data_and_signals(loop_class, way: str) -> None:
    calls: list[object] = []
    loop = overridden(way, loop_class, "_handle_signal", counting(calls))
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    loop.run_forever()
    loop.close()
    assert [args for args, _ in calls] == [(signal.SIGUSR1,)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["get_debug", "is_running", "create_future", "create_task", "stop"]
)
def test_public_methods(loop_class, way: str, name: str) -> None:
    calls: list[object] = []
    loop = overridden(way, loop_class, name, counting(calls))

    async def main() -> None:
        await asyncio.sleep(0.0001)
        await asyncio.create_task(steps(1))

    loop.run_until_complete(main())
    calls_while_running = len(calls)
    loop.close()
    assert calls_while_running >= 1


def test_patched_class(loop_class, monkeypatch) -> None:
    """The class itself is patched, as mock.patch.object and freezers do."""
    calls: list[object] = []
    original = loop_class.time

    def replacement(self: object) -> float:
        calls.append(1)
        return original(self)

    try:
        monkeypatch.setattr(loop_class, "time", replacement)
    except TypeError:
        pytest.skip("refused with a clear error: the class cannot be patched")
    loop = loop_class()
    loop.run_until_complete(asyncio.sleep(0.0001))
    loop.close()
    assert calls


def test_patched_base_class(loop_factory, monkeypatch) -> None:
    """A patch of asyncio's own class reaches stock; here it must at least break nothing."""
    calls: list[object] = []
    original = asyncio.BaseEventLoop._run_once

    def replacement(self: object) -> None:
        calls.append(1)
        original(self)

    monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", replacement)
    loop = loop_factory()
    assert loop.run_until_complete(steps(5)) == "done"
    loop.close()


@pytest.mark.parametrize("when", ["before the loop is made", "before it runs", "while it runs"])
def test_patched_monotonic_clock(loop_factory, monkeypatch, when: str) -> None:
    """`time.monotonic` is what freezers and virtual clocks replace."""
    real, offset = time.monotonic, [0.0]

    def patch() -> None:
        monkeypatch.setattr(time, "monotonic", lambda: real() + offset[0])

    if when == "before the loop is made":
        patch()
    loop = loop_factory()
    if when == "before it runs":
        patch()
    ran: list[int] = []

    async def main() -> None:
        if when == "while it runs":
            patch()
        loop.call_later(3600, ran.append, 1)
        await asyncio.sleep(0)
        assert ran == []
        offset[0] = 3601.0
        for _ in range(3):
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    loop.close()
    assert ran == [1]


def test_ready_and_scheduled_can_be_read(loop) -> None:
    """uvicorn, anyio's and pytest plugins look whether something is queued."""
    assert len(loop._ready) == 0
    assert not loop._ready
    assert len(loop._scheduled) == 0
    first = loop.call_soon(int)
    second = loop.call_soon(str)
    assert len(loop._ready) == 2
    assert list(loop._ready) == [first, second]
    assert loop._ready[0] is first
    late = loop.call_later(2000, int)
    early = loop.call_later(1000, int)
    assert len(loop._scheduled) == 2
    assert set(loop._scheduled) == {late, early}
    assert loop._scheduled[0] is early
    assert early._scheduled is True
    early.cancel()
    late.cancel()
    run_once(loop)
    assert len(loop._ready) == 0


def test_ready_can_be_read_inside_a_callback(loop) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(loop._ready))

    for _ in range(3):
        loop.call_soon(look)
    run_once(loop)
    assert seen == [3, 2, 1]  # the callbacks after this one, and stop


def test_ready_can_be_written(loop) -> None:
    """Truthful also the other way round: what is put in is run, what is taken out is not."""
    ran: list[str] = []
    taken = loop.call_soon(ran.append, "taken")
    loop._ready.remove(taken)
    loop._ready.append(asyncio.Handle(ran.append, ("put",), loop))
    loop._ready.appendleft(asyncio.Handle(ran.append, ("first",), loop))
    run_once(loop)
    assert ran == ["first", "put"]
    loop.call_soon(ran.append, "cleared")
    loop._ready.clear()
    run_once(loop)
    assert ran == ["first", "put"]
    loop._ready = collections.deque([asyncio.Handle(ran.append, ("replaced",), loop)])
    run_once(loop)
    assert ran == ["first", "put", "replaced"]


def test_scheduled_can_be_written(loop) -> None:
    ran: list[str] = []
    handle = asyncio.TimerHandle(loop.time() - 1, ran.append, ("put",), loop)
    heapq.heappush(loop._scheduled, handle)
    handle._scheduled = True
    run_once(loop)
    run_once(loop)
    assert ran == ["put"]
    loop.call_later(0, ran.append, "cleared")
    loop._scheduled.clear()
    run_once(loop)
    run_once(loop)
    assert ran == ["put"]


def test_order_is_kept_when_somebody_looks(loop) -> None:
    """Looking inside may switch to a slower mode: nothing may be lost or reordered by that."""
    ran: list[object] = []

    def look(number: int) -> None:
        ran.append(number)
        len(loop._ready)
        len(loop._scheduled)

    now = loop.time()
    for number in range(10):
        loop.call_soon(look if number == 4 else ran.append, number)
        loop.call_at(now - 1 + number / 100, ran.append, f"timer {number}")
    loop.call_soon(lambda: [loop.call_soon(ran.append, n) for n in (10, 11)])
    run_once(loop)
    run_once(loop)
    numbers = [item for item in ran if isinstance(item, int)]
    timers = [item for item in ran if isinstance(item, str)]
    assert numbers == list(range(12))
    assert timers == [f"timer {number}" for number in range(10)]


def test_selector_can_be_patched(loop) -> None:
    """Some profilers wrap loop._selector.select to see how long a loop sleeps."""
    calls: list[object] = []
    selector = loop._selector
    original = selector.select

    def select(timeout: float | None = None) -> object:
        calls.append(timeout)
        return original(timeout)

    try:
        selector.select = select
    except AttributeError:
        pytest.skip("refused with a clear error")
    loop.run_until_complete(asyncio.sleep(0.001))
    assert calls


def test_selector_of_ones_own(loop_class) -> None:
    """SelectorEventLoop(selector): honoured or refused."""
    import selectors

    class Counting(selectors.EpollSelector):
        calls = 0

        def select(self, timeout: float | None = None) -> list[object]:
            Counting.calls += 1
            return super().select(timeout)

    try:
        loop = loop_class(Counting())
    except TypeError:
        pytest.skip("refused with a clear error")
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    assert Counting.calls > 0


def test_handle_class_is_not_bypassed_by_run_patch(loop) -> None:
    """A handle whose _run is overridden: asyncio calls handle._run()."""
    ran: list[str] = []

    class Mine(asyncio.Handle):
        def _run(self) -> None:
            ran.append("mine")
            super()._run()

    loop._ready.append(Mine(ran.append, ("callback",), loop))
    run_once(loop)
    assert ran == ["mine", "callback"]


def test_set_running_loop_seam(loop_class) -> None:
    """GUI integrations of 3.13 call the two halves of run_forever themselves."""
    if not hasattr(asyncio.BaseEventLoop, "_run_forever_setup"):
        pytest.skip("the seams came with 3.13")
    loop = loop_class()
    ran: list[int] = []
    loop._run_forever_setup()
    try:
        assert asyncio.get_running_loop() is loop
        assert loop.is_running()
        loop.call_soon(ran.append, 1)
        loop._run_once()
    finally:
        loop._run_forever_cleanup()
    assert ran == [1]
    assert not loop.is_running()
    loop.close()


def test_run_once_called_by_hand(loop) -> None:
    ran: list[str] = []
    loop.call_soon(ran.append, "ready")
    loop.call_at(loop.time() - 1, ran.append, "timer")
    loop._run_once()
    assert sorted(ran) == ["ready", "timer"]
