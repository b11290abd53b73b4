"""A great many timers at once, each stage of their life by itself."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import islice
from operator import length_hint
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_timers

# Seconds. Timers that are to fire are due within the window, those that are not lie far behind it.
_WINDOW = 0.024
_FAR = 900.0
# Deadlines closer than this may fire in either order. Loops that count in whole milliseconds, and
# add a delay to the clock as it was when the turn began, are off by as much as that turn lasts
# (lateness is another scenario).
_SLACK = 0.012
_LONGEST_TURN = 0.005  # where the thread was preempted for longer, order says nothing
_PER_TURN = 200  # timers that are made in one turn
_LEAD_PER_TIMER = 3e-6  # to begin with: seconds it takes to make one


class MillionTimers(Scenario):
    """The value is the CPU time of one stage per timer, since a run has to go through others too:

    init: all are made, in random order of their deadlines, and the loop has had a turn.
    fire: all are due (the loop was held up until they were) and run.
    cleanup: all are cancelled and let go of, and the loop has had two turns to sweep them.

    A million takes seconds a slot, so the settings have fewer; `[count=1000000]` asks for it.
    """

    id = "timer.million_timers"
    summary = "a great many timers at once are made, fire, or are cancelled"
    unit = "ns per timer"
    measure = "value"
    rules = ("TIME-003", "TIME-007", "TIME-010", "TIME-013", "TIME-014")
    params = (
        Param("phase", str, "init", ("init", "fire", "cleanup"), "the stage that is timed"),
        Param("count", int, 5000, (1000, 5000, 100_000, 1_000_000), "timers at once"),
    )
    quick = ({}, {"phase": "fire"}, {"phase": "cleanup"})
    full = (
        {"count": 100_000},
        {"phase": "fire"},
        {"count": 100_000, "phase": "cleanup"},
    )
    has_native = True
    phase: str
    count: int

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.patience += self.count * 100e-6
        self._spent_ns = 0
        self._timers = 0
        self._lead = self.count * _LEAD_PER_TIMER
        self._handles: list[asyncio.TimerHandle] = []

    @property
    def grain(self) -> int:
        return self.count

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.million_timers(self.phase, self.count))

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)
        self._order = list(range(self.count))
        random.Random(self.count).shuffle(self._order)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._spent_ns = self._timers = 0
        stage = {"init": self._init, "fire": self._fire, "cleanup": self._cleanup}[self.phase]
        while self._timers < n:
            done = stage(loop)
            require(done == self.count, f"{done} of {self.count} timers went through the stage")
            self._timers += done
        return self._timers

    def take_value(self) -> float:
        return self._spent_ns / self._timers

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        self._cancel()

    def _init(self, loop: asyncio.AbstractEventLoop) -> int:
        began = time.process_time_ns()
        fired = self._make_far(loop)
        self._spent_ns += time.process_time_ns() - began
        made = len(self._handles)
        require(all(not handle.cancelled() for handle in self._handles), "a timer is cancelled")
        self._cancel()
        _turns(loop, 2)
        require(not fired, f"{len(fired)} of {made} timers fired 15 minutes early")
        return made

    def _cleanup(self, loop: asyncio.AbstractEventLoop) -> int:
        fired = self._make_far(loop)
        handles = list(self._handles)
        began = time.process_time_ns()
        self._cancel()
        _turns(loop, 2)
        self._spent_ns += time.process_time_ns() - began
        cancelled = sum(handle.cancelled() for handle in handles)
        require(not fired, f"{len(fired)} of {len(handles)} timers fired 15 minutes early")
        return cancelled

    def _make_far(self, loop: asyncio.AbstractEventLoop) -> list[int]:
        """Where the numbers of those that fire would be."""
        fired: list[int] = []
        call_at, keep = loop.call_at, self._handles.append
        start, step = loop.time() + _FAR, _WINDOW / self.count
        for number in self._order:
            keep(call_at(start + number * step, fired.append, number))
        _turns(loop, 1)
        return fired

    def _cancel(self) -> None:
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()

    def _fire(self, loop: asyncio.AbstractEventLoop) -> int:
        while not self._fire_once(loop):
            self._lead *= 2  # the first were due before the last was made
        return self.count

    def _fire_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        """False, and nothing counts, where timers fired while others were still being made."""
        fired: list[int] = []
        count, order = self.count, iter(self._order)
        step = _WINDOW / count
        start = due = 0.0  # of the first, by the loop's clock and by ours
        longest_turn = turn_ended = 0.0
        before = began = 0

        def fire(number: int) -> None:
            fired.append(number)
            if len(fired) == count:
                loop.stop()

        def begin() -> None:
            nonlocal start, due, turn_ended
            turn_ended = time.monotonic()
            start, due = loop.time() + self._lead, turn_ended + self._lead
            make()

        def make() -> None:
            nonlocal longest_turn, turn_ended, before, began
            call_at = loop.call_at
            for number in islice(order, _PER_TURN):
                call_at(start + number * step, fire, number)
            now = time.monotonic()
            longest_turn, turn_ended = max(longest_turn, now - turn_ended), now
            if length_hint(order):
                loop.call_soon(make)
                return
            # The loop is held up until all are due, so that the stages do not mix.
            time.sleep(max(0.0, due + _WINDOW + _SLACK - time.monotonic()))
            before = len(fired)
            began = time.process_time_ns()

        loop.call_soon(begin)
        loop.run_forever()
        spent = time.process_time_ns() - began
        once = len(set(fired))
        require(once == count == len(fired), f"{once} of {count} timers fired, {len(fired)} times")
        if longest_turn < _LONGEST_TURN:
            _require_ordered(fired, int(_SLACK / _WINDOW * count))
        if before:
            return False
        self._spent_ns += spent
        return True


def _turns(loop: asyncio.AbstractEventLoop, count: int) -> None:
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run_forever()


def _require_ordered(fired: list[int], slack: int) -> None:
    """No timer came after one whose deadline is `slack` or more numbers later. Rule TIME-007."""
    latest = 0
    for number in fired:
        require(latest - number < slack, f"timer {latest} fired before {number}: not in order")
        latest = max(latest, number)
