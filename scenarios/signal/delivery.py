"""Signals that a program sends to itself: one at a time, many at once, and their handlers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, cast

from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.signal.handlers import handled, prove_delivery, send, turns


class SignalRoundtrip(Scenario):
    """The callback of each signal sends the next, so none can be coalesced."""

    id = "signal.signal_roundtrip"
    summary = "a signal is sent and its callback runs"
    unit = "signal"
    measure = "wall"
    rules = ("SIGN-001", "SIGN-003", "SIGN-005")
    aside = ("SIGN-003.default-*",)  # what the process does with the signal when all is over
    requires = frozenset({"signal"})
    has_floor = True
    has_native = True

    def native_work(self, loop: Any) -> Work:
        return cast(Work, loop.signal_roundtrip())

    def floor_work(self, native: Any) -> Work:
        return cast(Work, native.signal_floor())

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_delivery(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        number = signal.SIGUSR1
        sent = got = 0

        def begin() -> None:
            nonlocal sent
            sent += 1
            send(number)

        def arrive() -> None:
            nonlocal sent, got
            got += 1
            if sent < n:
                sent += 1
                send(number)
            elif got >= n:
                loop.stop()

        with handled(loop, {number: arrive}):
            loop.call_soon(begin)
            loop.run_forever()
            turns(loop)
        require(got <= sent, f"{sent} signals were sent, and their callback ran {got} times")
        return got


class SignalBurst(Scenario):
    """All signals are sent in one callback. The kernel and the loop may both deliver several of a
    kind as one; asyncio on CPython delivers each as long as its pipe has room.

    figure=us: from the first of a burst until the last callback, per signal that was sent.
    figure=sent: signals sent per callback that ran, so 1 where none was coalesced.
    """

    id = "signal.signal_burst"
    summary = "many signals are sent at once"
    unit = "us"
    measure = "value"
    rules = ("SIGN-001", "SIGN-003")
    aside = ("SIGN-003.default-*",)  # what the process does with the signal when all is over
    requires = frozenset({"signal"})
    params = (
        Param("count", int, 100, (10, 100, 1000), "signals of a burst"),
        Param("kinds", int, 1, (1, 3), "different signals among them, in turns", closed=True),
        Param("figure", str, "us", ("us", "sent"), "time per signal, or signals per callback"),
    )
    quick = ({}, {"figure": "sent"}, {"kinds": 3})
    full = (*quick, {"count": 1000}, {"count": 1000, "figure": "sent"})
    count: int
    kinds: int
    figure: str

    _KINDS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGURG)
    _SILENT = signal.SIGWINCH  # handled, and never sent
    _SETTLED_NS = 2_000_000  # without another callback: the missing ones were coalesced

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.unit = "us" if self.figure == "us" else "sent per callback"
        self._sent = self._got = self._spent_ns = 0

    @property
    def grain(self) -> int:
        return self.count

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_delivery(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._sent = self._got = self._spent_ns = 0
        tally = _Tally((*self._KINDS[: self.kinds], self._SILENT))
        with handled(loop, tally.callbacks()):
            while self._sent < n:
                tally.clear()
                began = time.monotonic_ns()
                self._burst(loop, tally)
                self._check(tally)
                self._spent_ns += tally.last_ns - began
                self._sent += self.count
                self._got += tally.total()
        return self._sent

    def take_value(self) -> float:
        if self.figure == "sent":
            return self._sent / self._got
        return self._spent_ns / self._sent / 1000

    def _burst(self, loop: asyncio.AbstractEventLoop, tally: _Tally) -> None:
        kinds = self._KINDS[: self.kinds]
        give_up = time.monotonic_ns() + int(self.patience * 1e9)

        def begin() -> None:
            for i in range(self.count):
                send(kinds[i % len(kinds)])
            loop.call_soon(look)

        def look() -> None:
            now = time.monotonic_ns()
            each = all(tally.got[number] for number in kinds)
            settled = each and now - tally.last_ns > self._SETTLED_NS
            if tally.total() >= self.count or settled or now > give_up:
                loop.stop()
            else:
                loop.call_soon(look)

        loop.call_soon(begin)
        loop.run_forever()
        turns(loop)

    def _check(self, tally: _Tally) -> None:
        for i, number in enumerate(self._KINDS[: self.kinds]):
            sent, got = len(range(i, self.count, self.kinds)), tally.got[number]
            require(got > 0, f"{sent} {number.name} were sent, and none was delivered")
            require(got <= sent, f"{sent} {number.name} were sent, and {got} delivered")
        require(tally.got[self._SILENT] == 0, f"{self._SILENT.name} was delivered, and never sent")


class _Tally:
    """How often each signal's callback ran, and when the last one did (ns)."""

    def __init__(self, numbers: tuple[signal.Signals, ...]) -> None:
        self.got = dict.fromkeys(numbers, 0)
        self.last_ns = 0

    def clear(self) -> None:
        self.got.update(dict.fromkeys(self.got, 0))

    def total(self) -> int:
        return sum(self.got.values())

    def callbacks(self) -> dict[signal.Signals, Callable[[], None]]:
        return {number: partial(self._arrive, number) for number in self.got}

    def _arrive(self, number: signal.Signals) -> None:
        self.got[number] += 1
        self.last_ns = time.monotonic_ns()


class HandlerAddRemove(Scenario):
    id = "signal.handler_add_remove"
    summary = "a signal handler is added and removed"
    unit = "handler"
    measure = "wall"
    rules = ("SIGN-001", "SIGN-003")
    requires = frozenset({"signal"})

    _PER_TURN = 50

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_delivery(loop)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        number = signal.SIGUSR1
        before = signal.getsignal(number)
        left = iter(range(n))
        arrived = removed = 0

        def arrive() -> None:
            nonlocal arrived
            arrived += 1

        def turn() -> None:
            nonlocal removed
            done = removed
            for _ in islice(left, self._PER_TURN):
                loop.add_signal_handler(number, arrive)
                removed += loop.remove_signal_handler(number)
            if removed > done:
                loop.call_soon(turn)
            else:
                loop.stop()

        try:
            loop.call_soon(turn)
            loop.run_forever()
        finally:
            signal.signal(number, before)
        require(arrived == 0, f"callbacks of signals that nobody sent ran {arrived} times")
        self._prove_last(loop, number)
        return removed

    def _prove_last(self, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
        """After so many, a handler still works."""
        with handled(loop, {number: loop.stop}):
            loop.call_soon(send, number)
            loop.run_forever()
