"""Schedules of callbacks: order, cancellation, exceptions, contexts and stop().

Documented, and compared: callbacks run in the order in which they were registered, each once,
unless cancelled, in the context in which they were registered; the batch in which stop() was called
is finished, and what it registers runs in the next run. What was registered with call_soon and with
call_soon_threadsafe is ordered apart.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from loopgauge.conformance.case import program
from loopgauge.conformance.lanes.differential.engine import SECONDS, Family, compare
from loopgauge.conformance.trial import LoopFactory, Trial

VALUE: contextvars.ContextVar[int] = contextvars.ContextVar("value", default=0)

Body = list[list[Any]]


def programs() -> Any:
    """A body is a list of actions [kind, number, body]; only scheduling ones have a body."""
    from hypothesis import strategies as st

    plain = st.tuples(
        st.sampled_from(("cancel", "stop", "raise", "set")), st.integers(0, 20), st.just([])
    ).map(list)

    def nested(bodies: Any) -> Any:
        kinds = st.sampled_from(("soon", "soon", "soon", "threadsafe"))
        scheduling = st.tuples(kinds, st.just(0), bodies).map(list)
        return st.lists(st.one_of(scheduling, scheduling, plain), max_size=5)

    return st.recursive(st.lists(plain, max_size=2), nested, max_leaves=25)


def trace(factory: LoopFactory, body: Body) -> dict[str, Any]:
    loop = factory()
    try:
        return _Run(loop).all(body)
    finally:
        loop.close()


class _Run:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.events: dict[str, list[Any]] = {"soon": [], "threadsafe": [], "errors": []}
        self.handles: list[asyncio.Handle] = []
        self.waiting: set[int] = set()
        loop.set_exception_handler(
            lambda _, context: self.events["errors"].append(repr(context.get("exception")))
        )

    def all(self, body: Body) -> dict[str, Any]:
        contextvars.copy_context().run(self.perform, body)
        for run in range(100):
            if not self.waiting:
                break
            self.events["soon"].append(f"run {run}")
            self.loop.run_forever()
        self.events["cancelled"] = [handle.cancelled() for handle in self.handles]
        self.events["never ran"] = sorted(self.waiting)
        return self.events

    def perform(self, body: Body) -> None:
        for kind, number, inner in body:
            if kind in ("soon", "threadsafe"):
                self.schedule(kind, inner)
            elif kind == "cancel" and self.handles:
                handle = number % len(self.handles)
                self.handles[handle].cancel()
                self.waiting.discard(handle)
            elif kind == "set":
                VALUE.set(number)
            elif kind == "stop":
                self.loop.stop()
            elif kind == "raise" and self.loop.is_running():
                raise LookupError(number)

    def schedule(self, kind: str, body: Body) -> None:
        number = len(self.handles)
        self.waiting.add(number)
        method = self.loop.call_soon if kind == "soon" else self.loop.call_soon_threadsafe
        self.handles.append(method(self.ran, kind, number, body))

    def ran(self, kind: str, number: int, body: Body) -> None:
        self.waiting.discard(number)
        self.events[kind].append([number, VALUE.get()])
        try:
            self.perform(body)
        finally:
            if not self.waiting:
                self.loop.stop()


FAMILY = Family("callbacks", programs, trace, 400)


@program(
    "differential:callbacks",
    expected="the order, the contexts and the exceptions are those of stock asyncio",
    leaves=("logs",),
    seconds=SECONDS,
)
def callbacks(t: Trial) -> None:
    """Generated schedules of callbacks that schedule, cancel, stop the loop and raise."""
    compare(t, FAMILY)
