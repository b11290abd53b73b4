"""Tasks that wait for each other, cancel each other and raise.

Every step of a task is a callback, and callbacks run in the order in which they were registered: so
the whole order is documented, and compared. No program waits for time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

EVENTS = 3
PLAIN = ("yield", "yield", "cancel", "await", "shield", "wait", "set", "raise", "put", "get")

#: More turns than any program has steps.
ENOUGH = 200


def programs() -> Any:
    """A body is a list of [kind, number, body]; only "spawn" and "guard" have a body."""
    from hypothesis import strategies as st

    plain = st.tuples(st.sampled_from(PLAIN), st.integers(0, 9), st.just([])).map(list)

    def nested(bodies: Any) -> Any:
        kinds = st.sampled_from(("spawn", "spawn", "guard"))
        return st.lists(
            st.one_of(st.tuples(kinds, st.just(0), bodies).map(list), plain), max_size=5
        )

    return st.recursive(st.lists(plain, max_size=4), nested, max_leaves=20)


def trace(factory: LoopFactory, program: list[Any]) -> dict[str, Any]:
    loop = factory()
    try:
        return loop.run_until_complete(_Run(loop).all(program))
    finally:
        loop.close()


class _Run:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.events = [asyncio.Event() for _ in range(EVENTS)]
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.tasks: list[asyncio.Task[Any]] = []
        self.seen: list[Any] = []

    async def all(self, body: list[Any]) -> dict[str, Any]:
        self.loop.set_exception_handler(lambda loop, context: None)  # never-awaited exceptions
        self.spawn(body)
        for _ in range(ENOUGH):
            await asyncio.sleep(0)
        self.seen.append("the rest is cancelled")
        for _ in range(ENOUGH):  # a guard outlives a cancellation
            for task in self.tasks:
                if not task.done():
                    task.cancel()
            await asyncio.sleep(0)
        return {"order": self.seen, "ends": [self.ended(task) for task in self.tasks]}

    def spawn(self, body: list[Any]) -> None:
        number = len(self.tasks)
        task = self.loop.create_task(self.run(number, body))
        task.add_done_callback(lambda _: self.seen.append([number, "done"]))
        self.tasks.append(task)

    async def run(self, number: int, body: list[Any]) -> int:
        for kind, argument, inner in body:
            self.seen.append([number, kind, argument])
            try:
                await self.perform(number, kind, argument, inner)
            except asyncio.CancelledError:
                self.seen.append([number, "cancelled in", kind])
                raise
        return number

    async def perform(self, number: int, kind: str, argument: int, body: list[Any]) -> None:
        other = self.tasks[argument % len(self.tasks)]
        event = self.events[argument % EVENTS]
        if kind == "spawn":
            self.spawn(body)
        elif kind == "guard":
            try:
                await self.run(number, body)
            except (LookupError, asyncio.CancelledError) as error:
                self.seen.append([number, "guarded", type(error).__name__])
        elif kind == "yield":
            await asyncio.sleep(0)
        elif kind == "cancel":
            self.seen.append([number, "cancel says", other.cancel()])
        elif kind in ("await", "shield") and argument % len(self.tasks) > number:
            # Only of later tasks: a circle that is cancelled recurs for ever.
            await (other if kind == "await" else asyncio.shield(other))
        elif kind == "wait":
            await event.wait()
        elif kind == "set":
            event.set()
        elif kind == "put":
            self.queue.put_nowait(argument)
        elif kind == "get":
            self.seen.append([number, "got", await self.queue.get()])
        elif kind == "raise":
            raise LookupError(argument)

    def ended(self, task: asyncio.Task[Any]) -> str:
        if not task.done():
            return "still running"
        if task.cancelled():
            return "cancelled"
        return repr(task.exception() or task.result())


FAMILY = Family("tasks", programs, trace, 250)


@program(
    "differential:tasks",
    expected="every step in the order of stock asyncio, and the same ends",
    leaves=("logs",),
    seconds=SECONDS,
)
def tasks(t: Trial) -> None:
    """Generated tasks that spawn, await, shield and cancel each other, with events and a queue."""
    compare(t, FAMILY)
