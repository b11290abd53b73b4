"""Protocols that raise: who is told, what becomes of the connection, and what leaves the loop.

Exception goes to the exception handler, with the context of stock; SystemExit and KeyboardInterrupt
leave run_forever(); nothing is swallowed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

import pytest
from loop_testing.compare import on
from loop_testing.exchange import HUGE, Action, Conversation, Local, Remote
from loop_testing.talk import Listener, Talk
from loop_testing.target import LoopFactory, is_stock, stock_factory


class Odd(BaseException):
    """Neither an Exception nor one of the two that leave the loop."""


ERRORS: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "OSError": ConnectionAbortedError,
    "CancelledError": asyncio.CancelledError,
    "BaseException": Odd,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
}

#: TLS pauses only in the second one: the first leaves it for the transport below.
FULL = (Action("write", HUGE), Action("write", HUGE))

#: What makes the callback happen.
WAYS: dict[str, tuple[Local | Remote, ...]] = {
    "made": (),
    "data": (Remote("send", 100),),
    "eof": (Remote("half_close"),),
    "pause": (Local(FULL),),
    "pause outside": (Local(FULL, inside=False),),
    "resume": (Local(FULL), Remote("drain")),
    "lost": (Local((Action("close"),)),),
    "lost by abort": (Local((Action("abort"),)),),
    "lost by reset": (Remote("reset"),),
}


#: Stock asserts for ever that its empty buffer is not empty, when these leave resume_writing().
LEAVING = ("SystemExit", "KeyboardInterrupt")
SPINS_ON_STOCK = {("resume", error) for error in LEAVING}


class Raising(Talk):
    """A conversation in which one callback raises, the first time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, family: str, kind: str, callback: str, error: str
    ) -> None:
        super().__init__(loop, family, Conversation(protocol=kind))
        self.callback = callback
        self.error = ERRORS[error]
        self.raised = False

    def note(self, *event: Any) -> None:
        super().note(*event)
        if event[0] == self.callback and not self.raised:
            self.raised = True
            raise self.error("by the protocol")

    def told(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        words = context["message"].split(" in callback ")[0]
        named = context.get("transport") is self.transport if "transport" in context else None
        listens = isinstance(context.get("protocol"), Listener)
        self.trace[-1].append(("told", words, type(error), sorted(context), named, listens))

    def turn(self) -> None:
        try:
            super().turn()
        except BaseException as error:
            if not isinstance(error, self.error):
                raise
            self.trace[-1].append(("left the loop", type(error)))

    def connect(self) -> None:
        try:
            super().connect()
        except self.error as error:
            self.trace[-1].append(("left create_connection()", type(error)))

    def act_all(self, actions: tuple[Action, ...]) -> None:
        try:
            super().act_all(actions)
        except BaseException as error:
            if not isinstance(error, self.error):
                raise
            self.trace[-1].append(("left the call", type(error)))
            if self.loop.is_running():
                raise


def trace(
    loop: asyncio.AbstractEventLoop, family: str, kind: str, way: str, error: str
) -> list[list[Any]]:
    callback = way.split(" ")[0]
    talking = Raising(loop, family, kind, callback, error)
    try:
        talking.connect()
        for step in WAYS[way]:
            talking.perform(step)
        talking.perform(Remote("send", 10))
        talking.perform(Remote("close"))
        assert talking.raised
        return talking.trace
    finally:
        talking.clean_up()


@pytest.fixture(autouse=True)
def _silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", ["tcp", "unix", "tls"])
def test_same_trace(loop_factory: LoopFactory, family: str, way: str, error: str) -> None:
    if (way, error) in SPINS_ON_STOCK:
        pytest.skip("stock spins")
    if family == "tls" and way == "made" and error in LEAVING:
        pytest.skip("on stock, create_connection() then never ends")
    for kind in ("data", "buffered"):
        tracing = functools.partial(trace, family=family, kind=kind, way=way, error=error)
        assert on(loop_factory, tracing) == on(stock_factory(), tracing)


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_swallowed(loop_factory: LoopFactory, way: str, error: str) -> None:
    """Said once more without stock: both of them get out."""
    if (way, error) in SPINS_ON_STOCK and is_stock():
        pytest.skip("stock spins")
    seen = on(loop_factory, lambda loop: trace(loop, "tcp", "data", way, error))
    left = [event for step in seen for event in step if str(event[0]).startswith("left")]
    assert {event[1] for event in left} == {ERRORS[error]}
