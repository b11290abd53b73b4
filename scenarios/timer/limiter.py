"""A token bucket, as clients of rate-limited services have one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import prove_timers

_WORKERS = 4
# A loop's clock of whole milliseconds may be that much ahead of its own start.
_TOLERANCE = 0.001


class TokenBucket:
    """`rate` permits a second, at most `burst` of them saved up, by the loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rate: float, burst: int) -> None:
        self._loop = loop
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._updated = loop.time()
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Waits for a permit; first come, first served."""
        async with self._turn:
            self._refill()
            while self._tokens < 1.0:
                await asyncio.sleep((1.0 - self._tokens) / self._rate)
                self._refill()
            self._tokens -= 1.0

    def _refill(self) -> None:
        now = self._loop.time()
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now


class RateLimiter(Scenario):
    """CPU time, since the elapsed time is what the rate makes it. With a burst of 1 every permit
    needs a sleep of its own, so that a loop that wakes late does not save any."""

    id = "timer.rate_limiter"
    summary = "four tasks share the permits of a token bucket"
    unit = "permit"
    rules = ("TIME-002", "TIME-003", "TIME-012", "TASK-017", "LIFE-001")
    params = (
        Param("rate", int, 2000, (100, 2000, 20_000), "permits a second"),
        Param("burst", int, 1, (1, 10, 100), "permits that can be saved up"),
    )
    full = ({}, {"burst": 10}, {"rate": 20_000, "burst": 100})
    slot_s = 0.01
    rate: int
    burst: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_timers(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._granted: list[float] = []
        loop.run_until_complete(self._share(loop, n))
        self._require_limit(self._granted)
        return len(self._granted)

    async def _share(self, loop: asyncio.AbstractEventLoop, n: int) -> None:
        bucket = TokenBucket(loop, self.rate, self.burst)
        self._began = time.monotonic()
        shares = [len(range(worker, n, _WORKERS)) for worker in range(_WORKERS)]
        await asyncio.gather(*(self._work(bucket, share) for share in shares))

    async def _work(self, bucket: TokenBucket, permits: int) -> None:
        for _ in range(permits):
            await bucket.acquire()
            self._granted.append(time.monotonic())

    def _require_limit(self, granted: list[float]) -> None:
        """By a clock that is not the loop's: never more permits than the rate allows."""
        for number, at in enumerate(granted):
            due = self._began + (number + 1 - self.burst) / self.rate
            early = due - at
            problem = f"permit {number} was granted {early * 1e3:.2f} ms early: rate not kept"
            require(early <= _TOLERANCE, problem)
