"""Timers that are made and never fire: cancelled at once, or pushed back again and again."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Holds, Param, Scenario, require
from loopgauge.scenarios.proofs import prove_rescheduling, prove_timers

_BATCH = 1000  # timers made and cancelled per turn
# Deadlines in seconds. The pending timers lie around the one that is made, none of them ever due.
_DELAY = 900.0
_NEAREST, _FARTHEST = 600.0, 1200.0


class ScheduleCancel(Scenario):
    """call_later and cancel, among other timers: what a timeout costs that is not needed.

    A loop that sweeps its cancelled timers later must do so inside the run: stock asyncio sweeps
    when more than half of its timers are cancelled, so a run cancels more than are pending.
    """

    id = "timer.schedule_cancel"
    summary = "a timer is made and cancelled while others are pending"
    unit = "timer"
    rules = ("TIME-007", "TIME-010", "TIME-013", "HNDL-001")
    schedules = ("soon", "later")
    params = (Param("pending", int, 20_000, (1, 20_000, 100_000), "timers pending all the time"),)
    holds = Holds("pending", "timer", "setup", (20_000, 100_000))
    full = ({}, {"pending": 1}, {"pending": 100_000})
    has_native = True
    pending: int

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.schedule_cancel(self.pending))

    @property
    def grain(self) -> int:
        return _BATCH * (1 + self.pending * 5 // 4 // _BATCH)

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)
        self._fired = 0
        step = (_FARTHEST - _NEAREST) / self.pending
        self._pending = [
            loop.call_later(_NEAREST + i * step, self._fire) for i in range(self.pending)
        ]

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        call_later = loop.call_later
        fire = self._fire
        done = 0
        kept = 0

        def turn() -> None:
            nonlocal done, kept
            for _ in repeat(None, _BATCH):
                handle = call_later(_DELAY, fire)
                handle.cancel()
            kept += not handle.cancelled()
            done += _BATCH
            if done < n:
                loop.call_soon(turn)
            else:
                loop.stop()

        loop.call_soon(turn)
        loop.run_forever()
        require(self._fired == 0, f"{self._fired} timers fired that were cancelled or not due")
        require(kept == 0, f"{kept} timers say that they are not cancelled")
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        for handle in getattr(self, "_pending", []):
            handle.cancel()
        self._pending = []

    def _fire(self) -> None:
        self._fired += 1


class Reschedule(Scenario):
    """The keep-alive pattern of servers: whenever a connection is heard of, its timer is cancelled
    and made anew. Each turn every connection is heard of once."""

    id = "timer.reschedule"
    summary = "the deadline of an idle connection is pushed back: cancel and call_later"
    unit = "reschedule"
    rules = ("TIME-007", "TIME-010", "TIME-013", "HNDL-001")
    schedules = ("soon", "later")
    params = (Param("connections", int, 1000, (1, 1000, 10_000), "timers pending all the time"),)
    full = ({}, {"connections": 1}, {"connections": 10_000})
    connections: int

    @property
    def grain(self) -> int:
        return self.connections

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)
        prove_rescheduling(loop)
        self._fired = 0
        self._handles = [loop.call_later(_DELAY, self._fire) for _ in range(self.connections)]

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        call_later = loop.call_later
        handles, fire = self._handles, self._fire
        done = 0
        wrong = 0

        def turn() -> None:
            nonlocal done, wrong
            last = handles[-1]
            for i, handle in enumerate(handles):
                handle.cancel()
                handles[i] = call_later(_DELAY, fire)
            wrong += not last.cancelled() or handles[-1].cancelled()
            done += len(handles)
            if done < n:
                loop.call_soon(turn)
            else:
                loop.call_soon(loop.stop)  # one turn more, for timers that do not wait

        loop.call_soon(turn)
        loop.run_forever()
        require(self._fired == 0, f"{self._fired} timers fired that were pushed back or not due")
        require(wrong == 0, f"in {wrong} turns a handle said the opposite about being cancelled")
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        for handle in getattr(self, "_handles", []):
            handle.cancel()
        self._handles = []

    def _fire(self) -> None:
        self._fired += 1
