"""Work that crosses to another thread and back: executors and coroutines from outside."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from loopgauge.scenarios.crew import Crew
from loopgauge.scenarios.model import Scenario, require
from loopgauge.scenarios.proofs import prove_order


class RunInExecutor(Scenario):
    """One worker thread of its own: the loop's default executor would stay alive in the loop and
    disturb whatever is measured next."""

    id = "throughput.run_in_executor"
    summary = "a function runs in a thread pool, one call at a time"
    unit = "call"
    rules = ("EXEC-001", "EXEC-003", "SOON-015", "SOON-019")
    requires = frozenset({"executor"})

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="scenario")
        ident = loop.run_until_complete(self._call_once(loop))
        require(ident != threading.get_ident(), "run_in_executor ran the function in the loop")

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        calls = 0

        def work(number: int) -> int:
            nonlocal calls
            calls += 1
            return number

        async def main() -> int:
            pool = self._pool
            run_in_executor = loop.run_in_executor
            done = 0
            for number in range(n):
                done += await run_in_executor(pool, work, number) == number
            return done

        done = loop.run_until_complete(main())
        require(calls == n, f"{calls} of {n} calls ran in the executor")
        return done

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    async def _call_once(self, loop: asyncio.AbstractEventLoop) -> int:
        """Starts the pool's thread before anything is timed."""
        return await loop.run_in_executor(self._pool, threading.get_ident)


class RunCoroutineThreadsafe(Scenario):
    id = "throughput.run_coroutine_threadsafe"
    summary = "another thread runs coroutines on the loop and waits for each result"
    unit = "call"
    rules = ("SOON-015", "SOON-019", "TASK-002")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon_threadsafe)
        self._answered = 0
        self._caller = Crew(loop, 1, lambda _, calls: self._call(loop, calls))

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._answered = 0
        self._caller.dispatch(n)
        loop.run_forever()
        self._caller.raise_error()
        return self._answered

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        caller = getattr(self, "_caller", None)
        if caller is not None:
            caller.close()

    def _call(self, loop: asyncio.AbstractEventLoop, calls: int) -> None:
        async def answer(number: int) -> int:
            return number

        answered = 0
        for number in range(calls):
            future = asyncio.run_coroutine_threadsafe(answer(number), loop)
            answered += future.result(self.patience) == number
        self._answered = answered
        loop.call_soon_threadsafe(loop.stop)
