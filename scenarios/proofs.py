"""What a scenario proves in its setup, because proving it in every run would be measured.

Runs count their callbacks and look at a few marks; exact order, timers and contexts are proved
here once, through the same calls.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Any

from loopgauge.scenarios.model import CheckFailed, require

# The resolution of the monotonic clock: a timer may be that much early (rule TIME-003).
RESOLUTION_NS = max(1, int(time.get_clock_info("monotonic").resolution * 1e9))

Schedule = Callable[[Callable[[int], object], int], object]


def prove_order(loop: asyncio.AbstractEventLoop, schedule: Schedule, count: int = 200) -> None:
    """`schedule(callback, i)` runs every callback once, in order, never inside the call.

    Rules SOON-001, SOON-002, SOON-003 (and SOON-016 for call_soon_threadsafe).
    """
    ran: list[int] = []
    at_once = 0

    def fill() -> None:
        nonlocal at_once
        for i in range(count):
            schedule(ran.append, i)
        at_once = len(ran)
        schedule(lambda _: loop.stop(), count)

    loop.call_soon(fill)
    loop.run_forever()
    require(at_once == 0, f"{at_once} of {count} callbacks ran inside the call that scheduled them")
    require_sequence(ran, count)


def require_sequence(ran: Sequence[int], count: int) -> None:
    """`ran` is 0, 1, ..., count - 1. Raises CheckFailed that says what is wrong with it."""
    lost = count - len(set(ran))
    require(lost == 0, f"{lost} of {count} callbacks never ran")
    require(len(ran) == count, f"{len(ran) - count} callbacks ran more than once")
    for place, i in enumerate(ran):
        require(i == place, f"callback {i} of {count} ran as number {place}: not in order")


def prove_context(loop: asyncio.AbstractEventLoop) -> None:
    """call_soon(context=c) runs the callback in c, and in c alone. Rules SOON-007, SOON-009."""
    variable: ContextVar[str] = ContextVar("prove_context", default="outside")
    context = copy_context()
    context.run(variable.set, "inside")
    seen: list[str] = []

    def look() -> None:
        seen.append(variable.get())
        variable.set("changed")

    loop.call_soon(look, context=context)
    loop.call_soon(lambda: seen.append(variable.get()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    require(seen == ["inside", "outside"], f"callbacks saw the context values {seen}")
    require(context[variable] == "changed", "a change made in the given context is not in it")


def prove_cancel(loop: asyncio.AbstractEventLoop) -> None:
    """A cancelled callback does not run, its neighbours do. Rules HNDL-001, HNDL-002."""
    ran: list[int] = []
    handles = [loop.call_soon(ran.append, i) for i in range(6)]
    for handle in handles[::2]:
        handle.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    require(ran == [1, 3, 5], f"of six callbacks, every second cancelled, {ran} ran")


def prove_yield(loop: asyncio.AbstractEventLoop) -> None:
    """Tasks that await sleep(0) take turns. Rule SOON-001 as tasks see it."""
    ran: list[str] = []

    async def runner(name: str) -> None:
        for _ in range(3):
            ran.append(name)
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(runner("a"), runner("b"))

    loop.run_until_complete(both())
    require(ran == ["a", "b"] * 3, f"two tasks that yield ran as {''.join(ran)}")


def prove_timers(loop: asyncio.AbstractEventLoop, tolerance: float = 0.001) -> None:
    """Timers fire, in order of their deadlines, at most `tolerance` seconds early; a cancelled one
    does not. Rules TIME-007, TIME-010. Where the process was so slow (valgrind, a busy machine)
    that their deadlines may be the other way round, any order will do.

    The default tolerance admits loops that count in whole milliseconds: that is a matter of
    lateness, not of the cost of a timer.
    """
    fired: list[int] = []
    early: list[float] = []
    latest: dict[int, float] = {}  # possible deadline, as the earliest is before call_later
    earliest: dict[int, float] = {}

    def fire(i: int, due: float) -> None:
        fired.append(i)
        early.append(due - time.monotonic())

    def arm(i: int, delay: float) -> asyncio.TimerHandle:
        earliest[i] = time.monotonic() + delay
        handle = loop.call_later(delay, fire, i, earliest[i])
        latest[i] = time.monotonic() + delay
        return handle

    arm(2, 0.006)
    cancelled = arm(1, 0.004)
    arm(0, 0.002)
    cancelled.cancel()
    loop.call_later(0.009, loop.stop)
    loop.run_forever()
    require(1 not in fired, "a cancelled timer fired")
    if latest[0] >= earliest[2]:
        fired.sort()
    require(fired == [0, 2], f"of two timers, numbered by deadline 0 and 2, {fired} fired")
    require(max(early) <= tolerance, f"a timer fired {max(early) * 1e3:.2f} ms early")


def prove_rescheduling(loop: asyncio.AbstractEventLoop) -> None:
    """A deadline that is pushed back three times is met once, at the last of them (at most a
    millisecond early, as in prove_timers). Rules TIME-003, TIME-010."""
    fired: list[float] = []
    due = 0.0

    def fire() -> None:
        fired.append(time.monotonic() - due)

    def push_back(times: int, handle: asyncio.TimerHandle) -> None:
        nonlocal due
        handle.cancel()
        due = time.monotonic() + 0.004
        later = loop.call_later(0.004, fire)
        if times:
            loop.call_later(0.002, push_back, times - 1, later)
        else:
            loop.call_later(0.007, loop.stop)

    loop.call_soon(push_back, 3, loop.call_later(0.004, fire))
    loop.run_forever()
    require(len(fired) == 1, f"a timer that was pushed back fired {len(fired)} times instead of 1")
    require(
        fired[0] >= -0.001, f"a timer that was pushed back fired {-fired[0] * 1e3:.2f} ms early"
    )


def require_punctual(late_ns: Sequence[int], what: str = "timers") -> None:
    """Nothing of `late_ns` (fire time minus deadline) is early. Rule TIME-003."""
    early = [-late for late in late_ns if late < -RESOLUTION_NS]
    if early:
        count = f"{len(early)} of {len(late_ns)} {what}"
        raise CheckFailed(f"{count} fired early, by up to {max(early) / 1000:.0f} us")


def prove_poll(loop: asyncio.AbstractEventLoop) -> None:
    """Runs of one turn see a readable descriptor. Rule LIFE-009.

    Three turns are allowed: no rule says in which turn the callback of a descriptor runs.
    """
    seen: list[str] = []
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")
        try:
            loop.add_reader(left.fileno(), seen.append, "readable")
        except NotImplementedError:
            return
        for _ in range(3):
            loop.call_soon(loop.stop)
            loop.run_forever()
        loop.remove_reader(left.fileno())
    require(bool(seen), "a readable descriptor was not seen in three runs of one turn")


def prove_result(loop: asyncio.AbstractEventLoop) -> None:
    """run_until_complete returns the result and raises the exception. Rule LIFE-001."""

    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("expected")

    got: Any = loop.run_until_complete(answer())
    require(got == 42, f"run_until_complete returned {got!r} instead of the coroutine's result")
    try:
        loop.run_until_complete(fail())
    except LookupError:
        return
    raise CheckFailed("run_until_complete swallowed the coroutine's exception")
