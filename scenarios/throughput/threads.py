"""call_soon_threadsafe: from the loop's own thread, from others, and as a wake-up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import repeat
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.crew import Crew
from loopgauge.scenarios.model import CheckFailed, Param, Scenario, require
from loopgauge.scenarios.proofs import prove_order, require_sequence
from loopgauge.scenarios.throughput.scheduling import Batches, Callback, counting

_PROVED = 200  # callbacks per thread in the proof of their order


class CallSoonThreadsafe(Batches):
    """producers=0: the loop's own thread queues batches, as call_soon_batch does.

    Otherwise the producer threads share the operations and queue them while the loop runs, as fast
    as they get the GIL.
    """

    id = "throughput.call_soon_threadsafe"
    summary = "callbacks queued through call_soon_threadsafe"
    rules = ("SOON-001", "SOON-002", "SOON-003", "SOON-015", "SOON-016", "SOON-019", "SOON-022")
    params = (
        Param("producers", int, 0, (0, 1, 2, 4), "threads that queue; 0 is the loop's own thread"),
    )
    full = ({}, {"producers": 1}, {"producers": 2}, {"producers": 4})
    has_native = True
    producers: int

    def native_work(self, loop: Any) -> Work:
        if self.producers:
            return cast(Work, loop.producers(self.producers))
        return cast(Work, loop.batches(self.size, True))

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon_threadsafe)
        self._produce: Callable[[int, int], None]
        if self.producers:
            self._crew = Crew(loop, self.producers, lambda i, share: self._produce(i, share))
            self._prove_threads(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        if not self.producers:
            return super().perform(loop, n)
        return self._perform_with_threads(loop, n)

    @property
    def grain(self) -> int:
        return self.size * max(self.producers, 1)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        crew = getattr(self, "_crew", None)
        if crew is not None:
            crew.close()

    def filler(
        self, loop: asyncio.AbstractEventLoop, last: Callback
    ) -> tuple[Callable[[], object], Callable[[], int]]:
        call_soon_threadsafe = loop.call_soon_threadsafe
        others = self.size - 1
        callback, ran = counting()

        def fill() -> None:
            for _ in repeat(None, others):
                call_soon_threadsafe(callback)
            call_soon_threadsafe(last)

        return fill, ran

    def _perform_with_threads(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        call_soon_threadsafe = loop.call_soon_threadsafe
        counters = [counting() for _ in range(self.producers)]
        share = n // self.producers
        ended = 0
        wrong = 0

        def last(index: int) -> None:
            nonlocal ended, wrong
            if counters[index][1]() != share - 1:
                wrong += 1
            ended += 1
            if ended == self.producers:
                loop.stop()

        def produce(index: int, share: int) -> None:
            callback = counters[index][0]
            for _ in repeat(None, share - 1):
                call_soon_threadsafe(callback)
            call_soon_threadsafe(last, index)

        self._produce = produce
        self._crew.dispatch(share)
        loop.run_forever()
        self._crew.raise_error()
        require(wrong == 0, f"{wrong} threads' last callbacks did not run after all their others")
        return ended + sum(ran() for _, ran in counters)

    def _prove_threads(self, loop: asyncio.AbstractEventLoop) -> None:
        """Each thread's callbacks run once and in its order. Rule SOON-019."""
        ran: list[list[int]] = [[] for _ in range(self.producers)]
        ended = 0

        def last() -> None:
            nonlocal ended
            ended += 1
            if ended == self.producers:
                loop.stop()

        def produce(index: int, share: int) -> None:
            for number in range(share):
                loop.call_soon_threadsafe(ran[index].append, number)
            loop.call_soon_threadsafe(last)

        self._produce = produce
        self._crew.dispatch(_PROVED)
        loop.run_forever()
        self._crew.raise_error()
        for sequence in ran:
            require_sequence(sequence, _PROVED)


class ThreadsafeWakeup(Scenario):
    id = "throughput.threadsafe_wakeup"
    summary = "a thread wakes the sleeping loop and waits until its callback has run"
    unit = "round trip"
    rules = ("SOON-002", "SOON-015")
    has_native = True

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.wakeup())

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon_threadsafe)
        self._answered = threading.Lock()
        self._answered.acquire()
        self._answers = 0
        self._caller = Crew(loop, 1, lambda _, calls: self._call(loop, calls))

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._answers = 0
        self._caller.dispatch(n)
        loop.run_forever()
        self._caller.raise_error()
        return self._answers

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        caller = getattr(self, "_caller", None)
        if caller is not None:
            caller.close()

    def _call(self, loop: asyncio.AbstractEventLoop, calls: int) -> None:
        def answer() -> None:
            self._answers += 1
            self._answered.release()

        for _ in range(calls):
            loop.call_soon_threadsafe(answer)
            if not self._answered.acquire(timeout=self.patience):
                raise CheckFailed("call_soon_threadsafe did not wake the loop")
        loop.call_soon_threadsafe(loop.stop)
