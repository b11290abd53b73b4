"""Runs one scenario on the loop under test and on stock asyncio and wants the same answer.

Where the documentation leaves something open (texts of errors, order of equal deadlines) the
scenario has to leave it out of what it returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from loop_testing import target

Scenario = Callable[[asyncio.AbstractEventLoop], Any]


def on_both(scenario: Scenario) -> Any:
    """What `scenario(loop)` returned, after checking that stock returns the same."""
    ours = on(target.target_factory(), scenario)
    stock = on(target.stock_factory(), scenario)
    assert ours == stock
    return ours


def on(factory: target.LoopFactory, scenario: Scenario) -> Any:
    loop = factory()
    try:
        return scenario(loop)
    finally:
        loop.close()


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The type of the exception `function` raises, or what it returns where it raises none."""
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        return type(error)


def run_once(loop: asyncio.AbstractEventLoop) -> None:
    """One turn: what is queued now runs, what it queues does not."""
    loop.call_soon(loop.stop)
    loop.run_forever()


def run_turns(loop: asyncio.AbstractEventLoop, count: int = 4) -> None:
    """Enough turns that a loop which may skip two polls has seen every descriptor."""
    for _ in range(count):
        run_once(loop)


def quiet(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """Collects what the loop's exception handler is told instead of logging it."""
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    return told
