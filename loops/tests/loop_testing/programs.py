"""Small programs for a loop, as data: Hypothesis makes them, `trace()` runs them on any loop.

A program is a list of actions; callbacks carry actions of their own, so it is a tree. The trace
says in which turn each callback ran. Left out, because nothing promises them: the order of equal
deadlines (all deadlines differ) and the turn in which a descriptor is seen (only whether).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

#: Turns in which the program may do something, and turns after it, for descriptors to be seen.
TURNS, AFTER = 12, 5
PIPES = 3


@dataclass(frozen=True)
class Action:
    """`kind` says what; `number` is a deadline, a descriptor or a handle; `body` a callback's."""

    kind: str
    number: int = 0
    body: tuple[Action, ...] = ()


SCHEDULING = ("soon", "threadsafe", "due", "far")
PLAIN = ("cancel", "stop", "raise", "feed", "drain", "add_reader", "remove_reader")


def actions() -> st.SearchStrategy[tuple[Action, ...]]:
    plain = st.builds(Action, st.sampled_from(PLAIN), st.integers(0, 30))

    def nested(body: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        scheduling = st.builds(Action, st.sampled_from(SCHEDULING), st.integers(0, 30), body)
        return st.lists(st.one_of(scheduling, plain), max_size=5).map(tuple)

    return st.recursive(st.lists(plain, max_size=2).map(tuple), nested, max_leaves=25)


def trace(loop: asyncio.AbstractEventLoop, program: tuple[Action, ...]) -> dict[str, Any]:
    """What happened, turn by turn."""
    run = _Run(loop)
    try:
        return run.everything(program)
    finally:
        run.close()


class _Run:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pipes = [socket.socketpair() for _ in range(PIPES)]
        self.events: list[tuple[int, str, int]] = []
        self.readable: set[int] = set()
        self.handles: list[asyncio.Handle] = []
        self.ids = itertools.count()
        self.deadlines = itertools.count()
        self.turn = 0
        self.errors: list[type] = []
        loop.set_exception_handler(
            lambda _, context: self.errors.append(type(context["exception"]))
        )
        for left, right in self.pipes:
            left.setblocking(False)
            right.setblocking(False)

    def everything(self, program: tuple[Action, ...]) -> dict[str, Any]:
        self.perform(program)
        for _ in range(TURNS):
            self.one_turn()
        watched = [self.loop.remove_reader(right) for _, right in self.pipes]
        self.readable.clear()
        for number, (_, right) in enumerate(self.pipes):
            if watched[number]:
                self.loop.add_reader(right, self.readable.add, number)
        for _ in range(AFTER):
            self.one_turn()
        return {
            "events": self.events,
            "watched": watched,
            "readable": sorted(self.readable),
            "cancelled": [handle.cancelled() for handle in self.handles],
            "errors": self.errors,
        }

    def one_turn(self) -> None:
        self.turn += 1
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def perform(self, body: tuple[Action, ...]) -> None:
        for action in body:
            getattr(self, action.kind)(action)

    def callback(self, kind: str, number: int, body: tuple[Action, ...]) -> None:
        self.events.append((self.turn, kind, number))
        self.perform(body)

    def soon(self, action: Action) -> None:
        self.handles.append(self.loop.call_soon(self.callback, "soon", next(self.ids), action.body))

    def threadsafe(self, action: Action) -> None:
        self.handles.append(
            self.loop.call_soon_threadsafe(self.callback, "safe", next(self.ids), action.body)
        )

    def due(self, action: Action) -> None:
        """Long past, in an order that differs from that of scheduling; no two are equal."""
        when = self.loop.time() // 1 - 100 + action.number + next(self.deadlines) / 1000 - 40
        self.handles.append(
            self.loop.call_at(when, self.callback, "due", next(self.ids), action.body)
        )

    def far(self, action: Action) -> None:
        self.handles.append(
            self.loop.call_later(
                10_000 + action.number, self.callback, "far", next(self.ids), action.body
            )
        )

    def cancel(self, action: Action) -> None:
        if self.handles:
            self.handles[action.number % len(self.handles)].cancel()

    def stop(self, action: Action) -> None:
        if self.loop.is_running():
            self.loop.stop()

    def raise_(self, action: Action) -> None:
        if self.loop.is_running():
            raise LookupError(action.number)

    def feed(self, action: Action) -> None:
        self.pipes[action.number % PIPES][0].send(b"x")

    def drain(self, action: Action) -> None:
        with contextlib.suppress(BlockingIOError):
            self.pipes[action.number % PIPES][1].recv(1000)

    def add_reader(self, action: Action) -> None:
        number = action.number % PIPES
        self.loop.add_reader(self.pipes[number][1], self.readable.add, number)

    def remove_reader(self, action: Action) -> None:
        removed = self.loop.remove_reader(self.pipes[action.number % PIPES][1])
        self.events.append((self.turn, "removed", int(removed)))

    def close(self) -> None:
        for left, right in self.pipes:
            self.loop.remove_reader(right)
            left.close()
            right.close()
        for handle in self.handles:
            handle.cancel()


setattr(_Run, "raise", _Run.raise_)
