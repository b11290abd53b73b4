"""call_soon from the loop's own thread: alone, in batches, with arguments, contexts and cancels."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from itertools import repeat
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Holds, Param, Scenario, require
from loopgauge.scenarios.proofs import prove_cancel, prove_context, prove_order

CALLBACK = Param(
    "callback",
    str,
    "python",
    ("python", "native"),
    "callbacks are Python functions, or C functions that cost next to nothing",
)
BATCH = 1000  # callbacks queued per turn where the number is not the point

Callback = Callable[..., object]


def counting(arity: int = 0) -> tuple[Callback, Callable[[], int]]:
    """A callback of `arity` arguments that counts its calls, and how many there were.

    A local count is the cheapest proof that a Python callback ran.
    """
    count = 0

    def none() -> None:
        nonlocal count
        count += 1

    def one(a: object) -> None:
        nonlocal count
        count += 1

    def three(a: object, b: object, c: object) -> None:
        nonlocal count
        count += 1

    def six(a: object, b: object, c: object, d: object, e: object, f: object) -> None:
        nonlocal count
        count += 1

    callbacks: dict[int, Callback] = {0: none, 1: one, 3: three, 6: six}
    return callbacks[arity], lambda: count


def native_callbacks(native: Any) -> Any:
    """The module with the C callbacks, which callback=native cannot do without."""
    if native is None:
        raise RuntimeError("callback=native needs the extension module of the harness")
    return native


class CallSoonChain(Scenario):
    id = "throughput.call_soon_chain"
    summary = "one callback schedules itself again"
    unit = "callback"
    # Not LIFE-010: the callback that stops the loop is the last, and schedules none.
    rules = ("SOON-001", "SOON-002", "SOON-003", "SOON-004")
    schedules = ("soon",)
    params = (CALLBACK,)
    full = ({}, {"callback": "native"})
    has_native = True
    callback: str

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.chain())

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._native = native_callbacks(native) if self.callback == "native" else None
        prove_order(loop, loop.call_soon)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        if self._native is not None:
            chain = self._native.Chain(loop.call_soon, n, loop.stop)
            loop.call_soon(chain)
            loop.run_forever()
            return n - int(chain.remaining)
        call_soon = loop.call_soon
        left = n

        def step() -> None:
            nonlocal left
            left -= 1
            if left > 0:
                call_soon(step)
            else:
                loop.stop()

        call_soon(step)
        loop.run_forever()
        return n - left


class Batches(Scenario):
    """Turns in which `size` callbacks run: all but the last count, the last checks and refills."""

    unit = "callback"
    size: int = BATCH

    @property
    def grain(self) -> int:
        return self.size

    @abstractmethod
    def filler(
        self, loop: asyncio.AbstractEventLoop, last: Callback
    ) -> tuple[Callable[[], object], Callable[[], int]]:
        """What queues size - 1 callbacks and then `last`, and how many of those callbacks ran."""

    def arrived(self) -> bool:
        """Called in the last callback of a batch: whether what it can see is as it should be."""
        return True

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        size = self.size
        done = 0
        wrong = 0

        def last(*args: object) -> None:
            nonlocal done, wrong
            done += size
            # The one that was queued last runs after all others of its batch: FIFO.
            if ran() != done - done // size or not self.arrived():
                wrong += 1
            if done < n:
                fill()
            else:
                loop.stop()

        fill, ran = self.filler(loop, last)
        loop.call_soon(fill)
        loop.run_forever()
        require(
            wrong == 0, f"{wrong} of {n // size} batches were incomplete at their last callback"
        )
        return ran() + done // size


class CallSoonBatch(Batches):
    id = "throughput.call_soon_batch"
    summary = "many callbacks are queued in one turn and run in the next"
    rules = ("SOON-001", "SOON-002", "SOON-003")
    schedules = ("soon",)
    params = (
        Param("size", int, BATCH, (1, BATCH, 100_000), "callbacks queued per turn"),
        CALLBACK,
    )
    full = ({}, {"size": 1}, {"size": 100_000})
    holds = Holds("size", "callback", "peak", (50_000, 150_000))
    has_native = True
    callback: str

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.batches(self.size, False))

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._native = native_callbacks(native) if self.callback == "native" else None
        prove_order(loop, loop.call_soon)

    def filler(
        self, loop: asyncio.AbstractEventLoop, last: Callback
    ) -> tuple[Callable[[], object], Callable[[], int]]:
        call_soon = loop.call_soon
        others = self.size - 1
        callback, ran = self._counter()

        def fill() -> None:
            for _ in repeat(None, others):
                call_soon(callback)
            call_soon(last)

        return fill, ran

    def _counter(self) -> tuple[Callback, Callable[[], int]]:
        if self._native is None:
            return counting()
        counter = self._native.Counter()
        return counter, lambda: int(counter.count)


class CallSoonArgs(Batches):
    id = "throughput.call_soon_args"
    summary = "callbacks with positional arguments"
    rules = ("SOON-001", "SOON-002", "SOON-005")
    schedules = ("soon",)
    params = (Param("args", int, 3, (0, 1, 3, 6), "arguments of each callback", closed=True),)
    full = ({"args": 0}, {"args": 1}, {}, {"args": 6})
    args: int

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon)
        self._expected = tuple(object() for _ in range(self.args))
        self._got: tuple[object, ...] = ()

    def arrived(self) -> bool:
        return self._got == self._expected

    def filler(
        self, loop: asyncio.AbstractEventLoop, last: Callback
    ) -> tuple[Callable[[], object], Callable[[], int]]:
        callback, ran = counting(self.args)
        self._got = ()
        values = self._expected

        def keep(*args: object) -> None:
            self._got = args
            last()

        queue = _queue_of_arity(loop, values)

        def fill() -> None:
            queue(callback, self.size - 1)
            queue(keep, 1)

        return fill, ran


def _queue_of_arity(
    loop: asyncio.AbstractEventLoop, values: tuple[Any, ...]
) -> Callable[[Callback, int], None]:
    """Queues a callback some times with `values`, written out: call_soon(f, *values) would build a
    tuple that nobody writes by hand."""
    call_soon = loop.call_soon

    def none(callback: Callback, times: int) -> None:
        for _ in repeat(None, times):
            call_soon(callback)

    def one(callback: Callback, times: int) -> None:
        (a,) = values
        for _ in repeat(None, times):
            call_soon(callback, a)

    def three(callback: Callback, times: int) -> None:
        a, b, c = values
        for _ in repeat(None, times):
            call_soon(callback, a, b, c)

    def six(callback: Callback, times: int) -> None:
        a, b, c, d, e, f = values
        for _ in repeat(None, times):
            call_soon(callback, a, b, c, d, e, f)

    return {0: none, 1: one, 3: three, 6: six}[len(values)]


class CallSoonContext(Batches):
    id = "throughput.call_soon_context"
    summary = "callbacks in a context that is given explicitly"
    rules = ("SOON-001", "SOON-002", "SOON-007", "SOON-009")
    schedules = ("soon",)

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon)
        prove_context(loop)
        self._variable: ContextVar[object] = ContextVar("call_soon_context", default=None)
        self._token = object()

    def arrived(self) -> bool:
        return self._variable.get() is self._token

    def filler(
        self, loop: asyncio.AbstractEventLoop, last: Callback
    ) -> tuple[Callable[[], object], Callable[[], int]]:
        call_soon = loop.call_soon
        callback, ran = counting()
        context = self._marked_context()
        others = self.size - 1

        def fill() -> None:
            for _ in repeat(None, others):
                call_soon(callback, context=context)
            call_soon(last, context=context)

        return fill, ran

    def _marked_context(self) -> Context:
        context = copy_context()
        context.run(self._variable.set, self._token)
        return context


class CallSoonCancel(Scenario):
    id = "throughput.call_soon_cancel"
    summary = "every second callback is cancelled before its turn"
    unit = "handle"
    # Not HNDL-002: each handle is cancelled once, before its turn.
    rules = ("SOON-001", "SOON-002", "HNDL-001")
    schedules = ("soon",)

    @property
    def grain(self) -> int:
        return BATCH

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon)
        prove_cancel(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        call_soon = loop.call_soon
        callback, ran = counting()
        never, ran_cancelled = counting()
        queued = 0

        def turn() -> None:
            nonlocal queued
            if queued == n:
                loop.stop()
                return
            doomed = []
            for _ in repeat(None, BATCH // 2):
                call_soon(callback)
                doomed.append(call_soon(never))
            for handle in doomed:
                handle.cancel()
            queued += BATCH
            call_soon(turn)

        call_soon(turn)
        loop.run_forever()
        require(ran_cancelled() == 0, f"{ran_cancelled()} of {n // 2} cancelled callbacks ran")
        return ran() + n // 2
