"""Readers and writers of descriptors: who is called, and what adding and removing return.

Compared is which callbacks ran between two steps, not how often or in which order: a descriptor
that stays ready is reported again in every turn, and turns are nobody's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

PAIRS = 3
KINDS = ("add_reader", "add_reader", "remove_reader", "add_writer", "remove_writer")
OUTSIDE = ("feed", "feed", "drain", "hang_up")


def programs() -> Any:
    """A list of [kind, pair]."""
    from hypothesis import strategies as st

    step = st.tuples(st.sampled_from(KINDS + OUTSIDE), st.integers(0, PAIRS - 1)).map(list)
    return st.lists(step, max_size=12)


def trace(factory: LoopFactory, program: list[Any]) -> dict[str, Any]:
    loop = factory()
    run = _Run(loop)
    try:
        return run.all(program)
    finally:
        run.close()
        loop.close()


class _Run:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pairs = [socket.socketpair() for _ in range(PAIRS)]
        for pair in self.pairs:
            for sock in pair:
                sock.setblocking(False)
        self.called: set[str] = set()

    def all(self, program: list[Any]) -> dict[str, Any]:
        seen = {}
        for number, (kind, pair) in enumerate(program):
            answer = self.perform(number, kind, pair)
            self.loop.run_until_complete(self.polled())
            self.called.clear()  # of what was ready while the step was made
            self.loop.run_until_complete(self.polled())
            seen[f"step {number}, {kind}"] = [answer, sorted(self.called)]
            self.called.clear()
        return seen

    async def polled(self) -> None:
        """Time in which every loop polls: its own timers come after it."""
        await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    def perform(self, number: int, kind: str, pair: int) -> Any:
        theirs, ours = self.pairs[pair]
        if kind.startswith("add_"):
            method = self.loop.add_reader if kind == "add_reader" else self.loop.add_writer
            method(ours.fileno(), self.called.add, f"{kind[4:]} of {pair}, added in {number}")
            return None
        if kind == "remove_reader":
            return self.loop.remove_reader(ours.fileno())
        if kind == "remove_writer":
            return self.loop.remove_writer(ours.fileno())
        with contextlib.suppress(OSError):  # hung up already, or nothing there
            if kind == "feed":
                theirs.send(b"x")
            elif kind == "drain":
                ours.recv(1000)
            else:
                theirs.shutdown(socket.SHUT_WR)
        return None

    def close(self) -> None:
        for theirs, ours in self.pairs:
            self.loop.remove_reader(ours.fileno())
            self.loop.remove_writer(ours.fileno())
            theirs.close()
            ours.close()


FAMILY = Family("fds", programs, trace, 100)


@program(
    "differential:fds",
    expected="the same callbacks run, and removing says the same",
    leaves=("logs",),
    seconds=SECONDS,
)
def fds(t: Trial) -> None:
    """Generated steps that add and remove readers and writers of sockets, and feed these."""
    compare(t, FAMILY)
