"""Timers: order of deadlines, and cancellation by each other.

Compared is the order of timers that one callback set, with deadlines at least two milliseconds
apart. What other callbacks set may fall between them, depending on how late the loop was. A timer
cancels others that are due later: they never run, however late it is.
"""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

#: Seconds between two deadlines: more than the millisecond to which some loops round.
STEP = 0.002


def programs() -> Any:
    """Siblings: a list of [slot, method, cancels, children]; slots are unique among them, and
    `cancels` is the number of a sibling."""
    from hypothesis import strategies as st

    def siblings(children: Any) -> Any:
        timer = st.tuples(
            st.integers(1, 10),
            st.sampled_from(("later", "at")),
            st.one_of(st.none(), st.integers(0, 7)),
            children,
        ).map(list)
        return st.lists(timer, max_size=8, unique_by=lambda row: row[0])

    return siblings(st.one_of(st.just([]), st.just([]), siblings(st.just([]))))


def trace(factory: LoopFactory, program: list[Any]) -> dict[str, Any]:
    loop = factory()
    try:
        return loop.run_until_complete(_Run(loop).all(program))
    finally:
        loop.close()


class _Run:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.order: dict[str, list[int]] = {}
        self.cancelled: dict[str, list[int]] = {}
        self.waiting: set[tuple[str, int]] = set()
        self.idle = asyncio.Event()

    async def all(self, program: list[Any]) -> dict[str, Any]:
        self.schedule("top", program)
        if self.waiting:
            await self.idle.wait()
        # Long enough for a cancelled timer to run, if it does.
        await asyncio.sleep(STEP)
        return {"order": self.order, "cancelled": self.cancelled}

    def schedule(self, family: str, program: list[Any]) -> None:
        now = self.loop.time()
        handles: list[asyncio.TimerHandle] = []
        self.order[family] = []
        for number, (slot, method, cancels, children) in enumerate(program):
            arguments = (family, number, handles, cancels, children)
            when = now + slot * STEP
            if method == "at":
                handle = self.loop.call_at(when, self.ran, *arguments)
            else:
                handle = self.loop.call_later(when - self.loop.time(), self.ran, *arguments)
            handles.append(handle)
            self.waiting.add((family, number))

    def ran(
        self,
        family: str,
        number: int,
        handles: list[asyncio.TimerHandle],
        cancels: int | None,
        children: list[Any],
    ) -> None:
        self.order[family].append(number)
        self.waiting.discard((family, number))
        if cancels is not None and cancels < len(handles) and cancels != number:
            handles[cancels].cancel()
            if (family, cancels) in self.waiting:
                self.cancelled.setdefault(family, []).append(cancels)
                self.waiting.discard((family, cancels))
        if children:
            self.schedule(f"{family}.{number}", children)
        if not self.waiting:
            self.idle.set()


FAMILY = Family("timers", programs, trace, 60)


@program(
    "differential:timers",
    expected="the order of deadlines, and nothing that was cancelled",
    leaves=("logs",),
    seconds=SECONDS,
)
def timers(t: Trial) -> None:
    """Generated sets of timers that cancel each other and set more."""
    compare(t, FAMILY)
