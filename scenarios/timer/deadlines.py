"""Timers that do fire: a thousand due at the same moment, and one at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_timers

_MS_NS = 1_000_000
# Early by this much is admitted, as in prove_timers: here cost is measured, not lateness.
_TOLERANCE_NS = _MS_NS


class DenseDeadlines(Scenario):
    id = "timer.dense_deadlines"
    summary = "many timers with the same deadline are made and fire"
    unit = "timer"
    rules = ("TIME-003", "TIME-006", "TIME-014")
    params = (Param("timers", int, 1000, (10, 1000, 10_000), "timers due at the same moment"),)
    full = ({}, {"timers": 10_000})
    slot_s = 0.004
    timers: int

    _DELAY_NS = 2 * _MS_NS  # long enough for most loops to make them all meanwhile

    @property
    def grain(self) -> int:
        return self.timers

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        size = self.timers
        call_at = loop.call_at
        now = time.monotonic_ns
        done = fired = 0
        due = 0
        early = 0

        def arm() -> None:
            nonlocal due, fired
            fired = 0
            due = now() + self._DELAY_NS
            when = loop.time() + self._DELAY_NS / 1e9
            for _ in range(size):
                call_at(when, fire)

        def fire() -> None:
            nonlocal fired, done, early
            fired += 1
            if fired == 1:
                early = max(early, due - now())
            elif fired == size:
                done += size
                if done < n:
                    arm()
                else:
                    loop.stop()

        loop.call_soon(arm)
        loop.run_forever()
        # Whoever fires some of them twice has others left, which fire in the turns that follow.
        for _ in range(2):
            loop.call_soon(loop.stop)
            loop.run_forever()
        require(fired == size, f"of {size} timers {fired - size} fired more than once")
        require(early <= _TOLERANCE_NS, f"a timer fired {early / 1e6:.2f} ms early")
        return done


class SparseDeadlines(Scenario):
    """Each firing makes the next timer, 2 ms ahead and before all others: so every timer needs a
    wait and a wake-up of its own, and nobody gains by firing several late ones together. CPU time,
    which the waiting does not count in."""

    id = "timer.sparse_deadlines"
    summary = "one timer at a time fires, others are pending far behind it"
    unit = "timer"
    rules = ("TIME-003", "TIME-007", "TIME-016")
    params = (Param("pending", int, 1000, (1, 1000, 100_000), "timers that stay pending"),)
    full = ({}, {"pending": 100_000})
    slot_s = 0.01
    pending: int

    _DELAY_NS = 2 * _MS_NS
    _NEAREST, _STEP = 600.0, 0.01  # seconds

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)
        self._strays = 0
        self._handles = [
            loop.call_later(self._NEAREST + i * self._STEP, self._stray)
            for i in range(self.pending)
        ]

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        now = time.monotonic_ns
        delay = self._DELAY_NS / 1e9
        due = early = armed = done = 0

        def arm() -> None:
            nonlocal due, armed
            armed += 1
            due = now() + self._DELAY_NS
            loop.call_later(delay, fire)

        def fire() -> None:
            nonlocal done, early
            done += 1
            early = max(early, due - now())
            if done >= n:
                loop.stop()
            elif done == armed:
                arm()

        loop.call_soon(arm)
        loop.run_forever()
        require(self._strays == 0, f"{self._strays} timers fired 10 minutes early")
        require(early <= _TOLERANCE_NS, f"a timer fired {early / 1e6:.2f} ms early")
        return min(done, armed)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        for handle in getattr(self, "_handles", []):
            handle.cancel()
        self._handles = []

    def _stray(self) -> None:
        self._strays += 1
