"""The timer family. So far only what a timer costs that never fires."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_timers

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
    params = (Param("pending", int, 20_000, (1, 20_000, 100_000), "timers pending all the time"),)
    full = ({}, {"pending": 1}, {"pending": 100_000})
    pending: int

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


SCENARIOS: tuple[type[Scenario], ...] = (ScheduleCancel,)
