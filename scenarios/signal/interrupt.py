"""Ctrl-C: from the signal to the main task that is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import threading
import time
from typing import Any

from loopgauge.scenarios.crew import Crew
from loopgauge.scenarios.model import CheckFailed, Scenario, require

_ASLEEP = 0.001  # seconds after which the loop is assumed to sleep
# Stock asyncio misses a signal that comes just as it falls asleep, until something else wakes it.
_KICK = 0.05  # seconds after which something else does
_PATIENCE = 2.0  # seconds after that until the signal counts as swallowed


class SigintCancel(Scenario):
    """asyncio.Runner on loops of the same kind, as asyncio.run() has it. A thread sends the signal
    while the main task waits and the loop sleeps; Runner's handler cancels the main task.

    The median of a slot leaves out the races that are lost; a loop that always needs something else
    to wake it shows the 50 ms after which it gets that.

    A loop that swallows the signal, or lets KeyboardInterrupt out instead, is INVALID: the thread
    ends the task itself when the time is over.
    """

    id = "signal.sigint_cancel"
    summary = "Ctrl-C cancels the main task of a sleeping loop"
    unit = "us"
    measure = "value"
    rules = ("SIGN-005", "SIGN-008", "SIGN-009", "SOON-015", "RUNR-001")
    # The loop sleeps when the signal comes, has no handlers, and leaves nothing to clear away.
    aside = (
        "SIGN-008.busy",
        "SIGN-008.spinning",
        "SIGN-008.with-handlers",
        "SIGN-009.own-handler",
        "SIGN-009.second",
        "RUNR-001.async-generators",
        "RUNR-001.executor",
    )
    slot_s = 0.01

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.patience = max(self.patience, 2 * _PATIENCE)
        self.give_up_after = _PATIENCE
        self._took: list[int] = []

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._noticed = threading.Event()
        self._swallowed = False
        self._sent = 0
        self._sender = Crew(loop, 1, lambda *_: self._interrupt())

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._took = []
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with asyncio.Runner(loop_factory=lambda: self.new_loop(loop)) as runner:
                for _ in range(n):
                    self._took.append(runner.run(self._main()))
                    require(not self._swallowed, "SIGINT did not cancel the main task")
        except KeyboardInterrupt:
            raise CheckFailed(
                "SIGINT left run() as KeyboardInterrupt, and cancelled nothing"
            ) from None
        finally:
            signal.signal(signal.SIGINT, before)
        self._sender.raise_error()
        return len(self._took)

    def take_value(self) -> float:
        return statistics.median(self._took) / 1000

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        sender = getattr(self, "_sender", None)
        if sender is not None:
            sender.close()

    async def _main(self) -> int:
        """Nanoseconds from the signal until it was noticed."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._noticed.clear()
        self._sender.dispatch(1)
        try:
            await self._loop.create_future()
        except asyncio.CancelledError:
            noticed = time.monotonic_ns()
            self._noticed.set()
        return noticed - self._sent

    def _interrupt(self) -> None:
        """In the thread of its own."""
        time.sleep(_ASLEEP)
        self._sent = time.monotonic_ns()
        os.kill(os.getpid(), signal.SIGINT)
        if self._noticed.wait(_KICK):
            return
        self._loop.call_soon_threadsafe(_nothing)
        if not self._noticed.wait(self.give_up_after):
            self._swallowed = True
            assert self._task is not None
            self._loop.call_soon_threadsafe(self._task.cancel)


def _nothing() -> None:
    pass
