"""What a flooded loop does to its timers and descriptors. These measure a value, not a cost."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from typing import Any

from loopgauge.scenarios.crew import Crew
from loopgauge.scenarios.model import Param, Scenario, require
from loopgauge.scenarios.proofs import RESOLUTION_NS, prove_order, prove_timers, require_punctual

_DELAY = 0.010  # seconds
_FLOOD = 4  # threads
# Calls of one thread per timer at most: a loop that starves would otherwise be buried in memory.
_FLOOD_LIMIT = 10_000
# Turns to wait for the timer after the flood: a loop that starves its timers would never end.
_SPIN_LIMIT = 1_000_000


class Fairness(Scenario):
    id = "throughput.fairness"
    summary = "how late a 10 ms timer is while four threads flood the loop"
    unit = "us"
    measure = "value"
    rules = ("TIME-003", "TIME-018", "SOON-015", "SOON-019")

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        prove_order(loop, loop.call_soon_threadsafe)
        # Under the flood a timer that does not wait may still be late, so it is proved without.
        prove_timers(loop, tolerance=RESOLUTION_NS * 1e-9 + 1e-6)
        self._flooding = False
        self._sent = 0
        self._received = 0
        self._ended = 0
        self._late: list[int] = []
        self._crew = Crew(loop, _FLOOD, lambda _, limit: self._flood(loop, limit))

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._late = []
        for timer in range(n):
            self._one_timer(loop)
            require(len(self._late) == timer + 1, "the timer did not fire in a busy loop")
        require_punctual(self._late)
        return len(self._late)

    def take_value(self) -> float:
        """Mean lateness of the timers of the last run, in us."""
        return statistics.fmean(self._late) / 1000

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        self._flooding = False
        crew = getattr(self, "_crew", None)
        if crew is not None:
            crew.close()

    def _one_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sent = self._received = self._ended = self._spins = 0
        self._flooding = True
        loop.call_soon(self._start, loop)
        loop.run_forever()
        self._flooding = False
        self._crew.raise_error()
        lost = self._sent - self._received
        require(lost == 0, f"{lost} of {self._sent} callbacks of the flood did not run once")

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        due = time.monotonic_ns() + int(_DELAY * 1e9)
        loop.call_later(_DELAY, self._fire, due)
        self._crew.dispatch(_FLOOD_LIMIT)

    def _fire(self, due: int) -> None:
        self._late.append(time.monotonic_ns() - due)
        self._flooding = False

    def _flood(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        call_soon_threadsafe = loop.call_soon_threadsafe
        sent = 0
        while self._flooding and sent < limit:
            call_soon_threadsafe(self._receive)
            sent += 1
        call_soon_threadsafe(self._end, loop, sent)

    def _receive(self) -> None:
        self._received += 1

    def _end(self, loop: asyncio.AbstractEventLoop, sent: int) -> None:
        """A thread's last callback; the run is over when timer and threads have had theirs."""
        self._sent += sent
        self._ended += 1
        if self._ended == _FLOOD:
            self._stop_after_timer(loop)

    def _stop_after_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._spins += 1
        if self._flooding and self._spins < _SPIN_LIMIT:  # the flood ended before the timer fired
            loop.call_soon(self._stop_after_timer, loop)
        else:
            loop.stop()


class IoUnderBusyLoop(Scenario):
    """A callback reschedules itself, so the ready queue is never empty, and from time to time makes
    a descriptor readable. How long the loop takes to notice is the figure.

    Seen in the turn after the one that made it readable counts as 1: whether a loop runs the
    reader before or after that turn's other callbacks makes no difference.
    """

    id = "throughput.io_under_busy_loop"
    summary = "how soon a readable descriptor is seen while the ready queue never empties"
    unit = "turns"
    measure = "value"
    rules = ("SOON-004", "FDRW-001", "TIME-018")
    requires = frozenset({"fd"})
    params = (Param("figure", str, "turns", ("turns", "us"), "count turns, or microseconds"),)
    quick = ({}, {"figure": "us"})
    full = quick
    figure: str

    # Turns between a sighting and the next write: two periods, so that a loop that looks every so
    # many turns is met at different points of its cycle.
    _PAUSES = (7, 12)
    # A loop that starves its descriptors may starve the guard's stop() as well.
    _GIVE_UP = 100_000

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.unit = self.figure

    def prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        self._turns: list[int] = []
        self._waited: list[int] = []
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)

    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self._turns, self._waited = [], []
        turns_seen, waited, pauses = self._turns, self._waited, self._PAUSES
        receive, send, now = self._near.recv, self._far.send, time.perf_counter_ns
        turn = written = 0
        write_at = pauses[0]
        last_turn = write_at + self._GIVE_UP

        def spin() -> None:
            nonlocal turn, written
            turn += 1
            if turn == write_at:
                written = now()
                send(b"x")
            if len(waited) < n and turn < last_turn:
                loop.call_soon(spin)
            else:
                loop.stop()

        def readable() -> None:
            nonlocal write_at, last_turn
            elapsed = now() - written
            try:
                receive(16)
            except BlockingIOError:
                return  # seen in two polls before it ran once: asyncio allows that
            waited.append(elapsed)
            turns_seen.append(max(1, turn - write_at))
            write_at = turn + pauses[len(waited) % 2]
            last_turn = write_at + self._GIVE_UP

        loop.add_reader(self._near.fileno(), readable)
        try:
            loop.call_soon(spin)
            loop.run_forever()
        finally:
            loop.remove_reader(self._near.fileno())
        problem = f"a readable descriptor was not seen in {self._GIVE_UP} turns"
        require(len(waited) == n, problem)
        return n

    def take_value(self) -> float:
        """Over the sightings of the last run: the mean of turns, which are few and small numbers;
        the median of microseconds, in which a preempted thread would be the whole mean."""
        if self.figure == "turns":
            return statistics.fmean(self._turns)
        return statistics.median(self._waited) / 1000

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        for end in (getattr(self, "_near", None), getattr(self, "_far", None)):
            if end is not None:
                end.close()
