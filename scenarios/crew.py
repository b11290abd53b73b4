"""Threads that are started once and parked between runs, so that no run measures their start."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from loopgauge.scenarios.model import CheckFailed

# Seconds that close() waits for one thread. Threads wait no longer than their scenario's patience.
_JOIN_TIMEOUT = 10.0


class Crew:
    """`size` daemon threads; each calls work(index, amount) whenever it is dispatched.

    The owner calls `close`, which joins them. Parked threads wait on a queue and cost nothing.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, size: int, work: Callable[[int, int], None]
    ) -> None:
        self._loop = loop
        self._work = work
        self._errors: list[Exception] = []
        self._orders: list[queue.SimpleQueue[int | None]] = [
            queue.SimpleQueue() for _ in range(size)
        ]
        self._threads = [
            threading.Thread(target=self._serve, args=(i,), name=f"crew-{i}", daemon=True)
            for i in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def dispatch(self, amount: int) -> None:
        """Lets every thread do work(index, amount) once."""
        for orders in self._orders:
            orders.put(amount)

    def raise_error(self) -> None:
        """Raises what a thread raised since the last call, as it is if that says UNSUPPORTED."""
        if not self._errors:
            return
        error = self._errors[0]
        self._errors.clear()
        if isinstance(error, (NotImplementedError, CheckFailed)):
            raise error
        raise CheckFailed(f"in a thread: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        for orders in self._orders:
            orders.put(None)
        for thread in self._threads:
            thread.join(timeout=_JOIN_TIMEOUT)

    def _serve(self, index: int) -> None:
        while (amount := self._orders[index].get()) is not None:
            try:
                self._work(index, amount)
            except Exception as error:
                self._errors.append(error)
                self._loop.call_soon_threadsafe(self._loop.stop)
