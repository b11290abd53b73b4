"""call_later and call_at: order, never early, strange delays, cancelled timers."""

from __future__ import annotations

import asyncio
import decimal
import fractions
import gc
import math
import random
import time
import weakref

import pytest
from loop_testing.compare import on_both, outcome, run_once


def test_deadline_order(loop) -> None:
    delays = [delay / 10_000 for delay in range(200)]
    random.Random(7).shuffle(delays)
    ran: list[float] = []
    start = loop.time()
    for delay in delays:
        loop.call_at(start + delay, ran.append, delay)
    loop.call_at(start + 0.025, loop.stop)
    loop.run_forever()
    assert ran == sorted(delays)


def test_order_of_passed_deadlines(loop) -> None:
    """All of them are due in one turn; their order is still that of the deadlines."""
    ran: list[int] = []
    start = loop.time() - 100
    numbers = list(range(300))
    random.Random(11).shuffle(numbers)
    for number in numbers:
        loop.call_at(start + number / 10, ran.append, number)
    run_once(loop)
    run_once(loop)
    assert ran == list(range(300))


# Deadlines that are not on any millisecond grid, and below the clocks a loop may use.
OFF_GRID = [0.0, 1e-9, 3.7e-7, 1e-6, 5e-5, 9.99e-4, 1e-3, 1.0004e-3, 1.9996e-3, 0.0123456789, 0.02]


def test_never_early(loop) -> None:
    early: list[tuple[float, float]] = []
    resolution = time.get_clock_info("monotonic").resolution

    def check(deadline: float) -> None:
        now = loop.time()
        if now < deadline - resolution:
            early.append((deadline, now))

    for _ in range(20):
        start = loop.time()
        for delay in OFF_GRID:
            loop.call_at(start + delay, check, start + delay)
            loop.call_later(delay, check, loop.time() + delay - 1e-5)
        loop.call_at(start + 0.021, loop.stop)
        loop.run_forever()
    assert early == []


def test_sleeping_is_never_early(loop) -> None:
    """Alone in the loop, each of them goes through a wait in the kernel."""
    resolution = time.get_clock_info("monotonic").resolution

    async def main() -> list[float]:
        early = []
        for delay in OFF_GRID * 3:
            due = loop.time() + delay
            await asyncio.sleep(delay)
            if loop.time() < due - resolution:
                early.append(delay)
        return early

    assert loop.run_until_complete(main()) == []


def test_never_synchronously(loop) -> None:
    ran: list[str] = []
    loop.call_later(0, ran.append, "zero")
    loop.call_later(-1, ran.append, "negative")
    loop.call_at(0, ran.append, "past")
    assert ran == []
    run_once(loop)
    run_once(loop)
    assert sorted(ran) == ["negative", "past", "zero"]


def test_zero_timer_rescheduling_itself_does_not_starve_others(loop) -> None:
    turns: list[int] = []

    def again() -> None:
        turns.append(1)
        if len(turns) < 10_000:
            loop.call_later(0, again)

    again()
    loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)
    loop.run_forever()
    assert len(turns) < 100


DELAYS = {
    "inf": math.inf,
    "minus inf": -math.inf,
    "huge": 1e18,
    "huger": 1e300,
    "huge int": 10**30,
    "negative": -5.0,
    "large negative": -1e300,
    "int": 0,
    "bool": False,
    "None": None,
    "Decimal": decimal.Decimal(0),
    "Fraction": fractions.Fraction(0),
}


@pytest.mark.parametrize("method", ["call_later", "call_at"])
@pytest.mark.parametrize("name", DELAYS)
def test_strange_delays(name: str, method: str) -> None:
    """Accepted or refused, at the call or later, as stock does; the loop stays usable."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        ran: list[str] = []
        called = outcome(getattr(loop, method), DELAYS[name], ran.append, "timer")
        if isinstance(called, asyncio.TimerHandle):
            result: object = "accepted"
        else:
            result = called
        ended = outcome(run_once, loop), outcome(run_once, loop)
        if isinstance(called, asyncio.TimerHandle):
            called.cancel()
        loop.call_soon(ran.append, "usable")
        run_once(loop)
        return result, ended, ran

    on_both(scenario)


@pytest.mark.parametrize("method", ["call_later", "call_at"])
@pytest.mark.parametrize("delay", ["1", [], 1j, object()], ids=["text", "list", "complex", "any"])
def test_what_is_no_number(loop_factory, method: str, delay: object) -> None:
    """TypeError: at the call, or from the turn that compares deadlines as in stock's call_at."""
    loop = loop_factory()  # the fixture runs the loop once more, which stock no longer can
    loop.call_later(1000, int)
    raised = [outcome(getattr(loop, method), delay, int), outcome(run_once, loop)]
    assert TypeError in raised
    loop.close()


@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_nan_neither_hangs_nor_crashes(loop, method: str) -> None:
    """Stock accepts it and 3.13 then fails in run_forever; the rule asks only for a usable loop."""
    handle = outcome(getattr(loop, method), math.nan, int)
    assert handle is ValueError or isinstance(handle, asyncio.TimerHandle)
    outcome(run_once, loop)
    if isinstance(handle, asyncio.TimerHandle):
        handle.cancel()
    ran: list[int] = []
    outcome(run_once, loop)
    loop.call_soon(ran.append, 1)
    run_once(loop)
    assert ran == [1]


def test_a_delay_with_float_conversion(loop) -> None:
    """numpy scalars and the like are added to a float by stock."""

    class Delay(float):
        pass

    handle = loop.call_later(Delay(1000.0), int)
    assert handle.when() > loop.time() + 900
    handle.cancel()


def test_far_timer_does_not_keep_the_loop_from_others(loop) -> None:
    far = [loop.call_later(delay, int) for delay in (1e9, 1e18, math.inf, 86_400 * 365)]
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    for handle in far:
        handle.cancel()


def test_cancel_before_the_deadline(loop) -> None:
    ran: list[str] = []
    gone = loop.call_later(0.001, ran.append, "gone")
    loop.call_later(0.002, ran.append, "stays")
    loop.call_later(0.003, loop.stop)
    gone.cancel()
    loop.run_forever()
    assert ran == ["stays"]


def test_cancel_when_already_due(loop) -> None:
    """Due in the same turn, cancelled by an earlier one: it must not run."""
    ran: list[str] = []
    when = loop.time() - 1

    def first() -> None:
        ran.append("first")
        second.cancel()

    loop.call_at(when, first)
    second = loop.call_at(when + 0.5, ran.append, "second")
    run_once(loop)
    run_once(loop)
    assert ran == ["first"]


def test_cancel_in_any_order(loop) -> None:
    """Every position of the heap is taken out once."""
    generator = random.Random(3)
    base = loop.time() + 1000
    handles = [loop.call_at(base + generator.random(), int) for _ in range(2000)]
    generator.shuffle(handles)
    for handle in handles:
        handle.cancel()
    ran: list[int] = []
    loop.call_later(0, ran.append, 1)
    run_once(loop)
    run_once(loop)
    assert ran == [1]


def test_cancelled_timers_are_not_kept_until_their_deadline(loop) -> None:
    class Token:
        pass

    tokens = [Token() for _ in range(1000)]
    alive = [weakref.ref(token) for token in tokens]
    handles = [loop.call_later(100_000, int, token) for token in tokens]
    handle_alive = [weakref.ref(handle) for handle in handles]
    for handle in handles:
        handle.cancel()
    del handle, tokens, handles
    # Stock sweeps its heap in a turn, once half of it is cancelled.
    run_once(loop)
    gc.collect()
    assert not any(reference() for reference in alive)
    assert not any(reference() for reference in handle_alive)


def test_timer_scheduled_by_a_timer(loop) -> None:
    ran: list[int] = []

    def step(number: int) -> None:
        ran.append(number)
        if number < 50:
            loop.call_later(0, step, number + 1)
        else:
            loop.stop()

    loop.call_later(0, step, 0)
    loop.run_forever()
    assert ran == list(range(51))


def test_time_is_monotonic_and_pythons(loop) -> None:
    samples = [loop.time() for _ in range(1000)]
    assert samples == sorted(samples)
    assert all(isinstance(sample, float) for sample in samples)
    before = time.monotonic()
    now = loop.time()
    assert before <= now <= time.monotonic()


def test_time_is_live_inside_a_callback(loop) -> None:
    """A cached clock would let two readings around work be equal."""
    readings: list[float] = []

    def callback() -> None:
        readings.append(loop.time())
        while time.monotonic() <= readings[0]:
            pass
        readings.append(loop.time())

    loop.call_soon(callback)
    run_once(loop)
    assert readings[1] > readings[0]


def test_io_and_timers_share_a_turn(loop) -> None:
    """Neither a stream of ready descriptors nor due timers may starve the other."""
    import socket

    left, right = socket.socketpair()
    left.send(b"x")
    seen = {"io": 0, "timer": 0}

    def readable() -> None:
        seen["io"] += 1

    def timer() -> None:
        seen["timer"] += 1
        if seen["timer"] == 50:
            loop.stop()
        loop.call_later(0, timer)

    loop.add_reader(right, readable)
    loop.call_later(0, timer)
    loop.run_forever()
    loop.remove_reader(right)
    left.close()
    right.close()
    # Polls may be skipped for two turns, not for ever.
    assert seen["io"] >= 50 // 3
