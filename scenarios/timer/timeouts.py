"""Time limits around work that ends in time: what nearly every network call of a program pays."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from typing import Any

from loopgauge.scenarios.model import CheckFailed, Scenario, require
from loopgauge.scenarios.proofs import prove_timers

_LIMIT = 30.0  # seconds
_SHORT = 0.003  # the limit that is met in the proof


class _Limited(Scenario):
    """The work lasts two turns, so that a timer that does not wait is noticed."""

    unit = "call"
    rules = ("TIME-003", "TIME-010", "TIME-013", "TASK-017")

    @abstractmethod
    async def limited(self, number: int, seconds: float, turns: int) -> int:
        """Yields `turns` times within a limit of `seconds`, and returns `number`."""

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)
        began = time.monotonic()
        try:
            loop.run_until_complete(self._outlast(loop))
        except TimeoutError:
            early = _SHORT - (time.monotonic() - began)
            # As prove_timers: loops that count whole milliseconds are admitted here.
            require(early <= 0.001, f"a limit of 3 ms was over {early * 1e3:.2f} ms early")
        else:
            raise CheckFailed("work that outlasts its time limit is not ended")

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        try:
            return loop.run_until_complete(self._all(n))
        except TimeoutError:
            raise CheckFailed(f"a limit of {_LIMIT:g} s was over within two turns") from None

    async def _all(self, n: int) -> int:
        limited = self.limited
        done = 0
        for number in range(n):
            done += await limited(number, _LIMIT, 2) == number
        return done

    async def _outlast(self, loop: asyncio.AbstractEventLoop) -> None:
        give_up = loop.time() + 1.0
        while loop.time() < give_up:  # a loop without timers would never end it
            await self.limited(0, _SHORT, 1_000_000)


async def _yield_often(number: int, turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return number


class TimeoutWrap(_Limited):
    id = "timer.timeout_wrap"
    summary = "asyncio.timeout() around work that ends in time"

    async def limited(self, number: int, seconds: float, turns: int) -> int:
        async with asyncio.timeout(seconds):
            return await _yield_often(number, turns)


class WaitFor(_Limited):
    id = "timer.wait_for"
    summary = "asyncio.wait_for() of a coroutine that ends in time"

    async def limited(self, number: int, seconds: float, turns: int) -> int:
        return await asyncio.wait_for(_yield_often(number, turns), seconds)
