"""How long after a signal its callback runs, while the loop sleeps or has other things to do.

The kernel's own timer sends the signal (setitimer), at a moment that is known beforehand: another
thread or process that sent it would compete for the interpreter or the cores just then.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.signal.handlers import handled, prove_delivery, turns

_DELAY = 0.001  # seconds until a signal comes: enough for the loop to fall asleep
_DELAY_NS = 1_000_000

_FIGURE = Param("figure", str, "median", ("median", "worst"), "of the signals of a slot")


class _Latency(Scenario):
    unit = "us"
    measure = "value"
    slot_s = 0.012
    figure: str

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._took: list[int] = []

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_delivery(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        took = self._took = []
        due = 0
        extra = 0
        armed = False

        def arm() -> None:
            nonlocal due, armed
            armed = True
            due = time.monotonic_ns() + _DELAY_NS
            signal.setitimer(signal.ITIMER_REAL, _DELAY)

        def arrive() -> None:
            nonlocal armed, extra
            now = time.monotonic_ns()
            if not armed:
                extra += 1
                return
            armed = False
            took.append(now - due)
            if len(took) < n:
                arm()
            else:
                loop.stop()

        with handled(loop, {signal.SIGALRM: arrive}):
            try:
                loop.call_soon(arm)
                self.occupy(loop, lambda: len(took) < n)
                loop.run_forever()
                turns(loop)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        early = -min(took, default=0)
        require(extra == 0, f"a signal's callback ran {extra} times more often than it was sent")
        require(early <= 0, f"a signal's callback ran {early / 1000:.0f} us before it was sent")
        return len(took)

    def take_value(self) -> float:
        figure = statistics.median if self.figure == "median" else max
        return max(float(figure(self._took)), 1.0) / 1000

    def occupy(self, loop: asyncio.AbstractEventLoop, go_on: Callable[[], bool]) -> None:
        """Gives the loop something else to do, as long as `go_on()`."""


class SignalLatencyIdle(_Latency):
    id = "signal.signal_latency_idle"
    summary = "how soon a signal's callback runs while the loop sleeps"
    rules = ("SIGN-001", "SIGN-005", "SIGN-013")
    requires = frozenset({"signal"})
    params = (_FIGURE,)
    full = ({}, {"figure": "worst"})


class SignalLatencyBusy(_Latency):
    """load=flood: a callback reschedules itself, the ready queue never empties.
    load=io: a descriptor is made readable again whenever it was read from."""

    id = "signal.signal_latency_busy"
    summary = "how soon a signal's callback runs while the loop is busy"
    rules = ("SIGN-001", "SIGN-005", "SIGN-013", "SOON-004")
    requires = frozenset({"signal", "fd"})
    params = (_FIGURE, Param("load", str, "flood", ("flood", "io"), "what keeps the loop busy"))
    quick = ({}, {"load": "io"})
    full = ({}, {"load": "io"}, {"figure": "worst"}, {"figure": "worst", "load": "io"})
    load: str

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        super().prepare(loop, native)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        try:
            return super().perform(loop, n)
        finally:
            if self.load == "io":
                loop.remove_reader(self._near.fileno())

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        for end in (getattr(self, "_near", None), getattr(self, "_far", None)):
            if end is not None:
                end.close()

    def occupy(self, loop: asyncio.AbstractEventLoop, go_on: Callable[[], bool]) -> None:
        def spin() -> None:
            if go_on():
                loop.call_soon(spin)

        def bounce() -> None:
            with contextlib.suppress(BlockingIOError):  # seen in two polls before it ran once
                self._near.recv(16)
                self._far.send(b"x")

        if self.load == "flood":
            loop.call_soon(spin)
            return
        with contextlib.suppress(BlockingIOError):
            self._near.recv(16)
        loop.add_reader(self._near.fileno(), bounce)
        self._far.send(b"x")
