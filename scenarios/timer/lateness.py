"""How late timers are. These measure a value: fire time minus deadline, by the monotonic clock.

Each timer is armed as soon as the one before it has fired. For a loop that counts whole
milliseconds that is just after a tick, where it has to be a millisecond late if it is not to be
early. Nothing blocks the loop in between: those that add the delay to a clock they read before the
block would be less late for it, or early.

A timer that fires early makes the result INVALID, however punctual the others are: a program that
asked for a millisecond and got less is wrong, not fast.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_timers, require_punctual

_MS = 0.001
_P99_TIMERS = 100  # in a run; fewer do not carry a 99th percentile


class Lateness(Scenario):
    """One timer after the other, armed by call_later from a callback. The deadline is counted from
    just before the call, so that what is reported as early is early beyond doubt.

    load=busy: a callback reschedules itself, the ready queue never empties.
    """

    id = "timer.lateness"
    summary = "how late a timer fires"
    unit = "us"
    measure = "value"
    rules = ("TIME-003", "TIME-012", "TIME-018")
    params = (
        Param("delay", float, 1.0, (0.1, 1.0, 10.0, 100.0), "of the timer, in ms"),
        Param("load", str, "idle", ("idle", "busy"), "what else the loop has to do"),
        Param("figure", str, "median", ("median", "p99", "worst"), "of the timers of a slot"),
    )
    quick = ({}, {"delay": 0.1}, {"load": "busy"})
    full = (
        {},
        {"figure": "p99"},
        {"delay": 0.1},
        {"delay": 10.0},
        {"delay": 100.0},
        {"load": "busy"},
        {"load": "busy", "figure": "p99"},
        {"load": "busy", "delay": 0.1},
        {"load": "busy", "delay": 10.0},
    )
    slot_s = 0.012
    has_native = True
    delay: float
    load: str
    figure: str

    @property
    def grain(self) -> int:
        return _P99_TIMERS if self.figure == "p99" else 1

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._late: list[int] = []
        # Bare system calls have nothing to be busy with.
        self.has_floor = self.load == "idle"

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.lateness(self._delay_ns, self.load == "busy", self.figure))

    def floor_work(self, native: Any) -> Work:
        if not self.has_floor:
            raise NotImplementedError("bare system calls have nothing to be busy with")
        return cast(Work, native.lateness_floor(self._delay_ns, self.figure))

    @property
    def _delay_ns(self) -> int:
        return round(self.delay * 1e6)

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        late = self._late = []
        now = time.monotonic_ns
        delay, delay_ns = self.delay * _MS, round(self.delay * 1e6)
        due = 0
        armed = False
        extra = 0

        def arm() -> None:
            nonlocal due, armed
            armed = True
            due = now() + delay_ns
            loop.call_later(delay, fire)

        def fire() -> None:
            nonlocal armed, extra
            fired = now()
            if not armed:
                extra += 1
                return
            armed = False
            late.append(fired - due)
            if len(late) < n:
                arm()
            else:
                loop.stop()

        def flood() -> None:
            if len(late) < n:
                loop.call_soon(flood)

        loop.call_soon(arm)
        if self.load == "busy":
            loop.call_soon(flood)
        loop.run_forever()
        require(extra == 0, f"timers fired {extra} times more often than they were armed")
        require_punctual(late)
        return len(late)

    def take_value(self) -> float:
        return _figures[self.figure](self._late)


class SleepJitter(Scenario):
    """As programs meet lateness: a task that sleeps a millisecond, again and again.

    figure=spread: how far its wake-ups lie apart, from the tenth percentile to the ninetieth.
    """

    id = "timer.sleep_jitter"
    summary = "how late sleep(0.001) returns"
    unit = "us"
    measure = "value"
    rules = ("TIME-003", "TIME-012", "LIFE-001")
    params = (Param("figure", str, "median", ("median", "spread"), "of the sleeps of a slot"),)
    quick = ({}, {"figure": "spread"})
    full = quick
    slot_s = 0.012
    figure: str

    _DELAY = 1.0 * _MS

    @property
    def grain(self) -> int:
        return 10

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._late: list[int] = []

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._late = loop.run_until_complete(self._sleep_often(n))
        require_punctual(self._late, "sleeps")
        return len(self._late)

    def take_value(self) -> float:
        return _figures[self.figure](self._late)

    async def _sleep_often(self, n: int) -> list[int]:
        now, delay = time.monotonic_ns, self._DELAY
        late = []
        for _ in range(n):
            due = now() + round(delay * 1e9)
            await asyncio.sleep(delay)
            late.append(now() - due)
        return late


def _us(ns: float) -> float:
    """At least a nanosecond: ratios are taken of it."""
    return max(ns, 1.0) / 1000


def _percentile(late: Sequence[int], share: float) -> int:
    """The smallest value that `share` of all do not exceed."""
    return sorted(late)[math.ceil(share * len(late)) - 1]


_figures: dict[str, Callable[[Sequence[int]], float]] = {
    "median": lambda late: _us(statistics.median(late)),
    "p99": lambda late: _us(_percentile(late, 0.99)),
    "worst": lambda late: _us(max(late)),
    "spread": lambda late: _us(_percentile(late, 0.9) - _percentile(late, 0.1)),
}
