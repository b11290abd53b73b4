"""Wrong arguments for everything that makes a connection are refused as stock refuses them."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest
from loop_testing.compare import on, quiet
from loop_testing.refusals import CASES
from loop_testing.target import LoopFactory, stock_factory

#: Seconds; a case that waits this long hangs.
PATIENCE = 20


def answer(loop: asyncio.AbstractEventLoop, name: str) -> tuple[Any, list[Any]]:
    """What the case raised (its type) or returned, and what the exception handler was told."""
    told = quiet(loop)

    async def run() -> Any:
        try:
            return await asyncio.wait_for(CASES[name](loop), PATIENCE)
        except Exception as error:
            return type(error), getattr(error, "errno", None)

    found = loop.run_until_complete(run())
    for _ in range(10):
        loop.call_soon(loop.stop)
        loop.run_forever()
    kind = tidy(loop, found)
    loop.run_until_complete(loop.shutdown_default_executor())
    return kind, [type(context.get("exception")) for context in told]


def tidy(loop: asyncio.AbstractEventLoop, found: Any) -> Any:
    """Closes what was made after all, and says what it was."""
    if isinstance(found, asyncio.AbstractServer):
        found.close()
        return "a server"
    if isinstance(found, tuple) and found and isinstance(found[0], asyncio.BaseTransport):
        found[0].close()
        loop.run_until_complete(asyncio.sleep(0))
        return "a transport", type(found[1])
    return found


@pytest.fixture(autouse=True)
def _no_litter(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Warnings of half-made objects are stock's too; relative paths end up in a folder of ours."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", CASES)
def test_same_refusal(loop_factory: LoopFactory, name: str) -> None:
    ours = on(loop_factory, lambda loop: answer(loop, name))
    for file in Path().iterdir():
        file.unlink()
    assert ours == on(stock_factory(), lambda loop: answer(loop, name))


@pytest.mark.parametrize("name", CASES)
def test_closed_loop(loop_factory: LoopFactory, name: str) -> None:
    """The same on a loop that was closed: refused, whatever the arguments, and nothing hangs."""

    def attempt(factory: LoopFactory) -> Any:
        closed = factory()
        closed.close()
        try:
            CASES[name](closed).send(None)  # type: ignore[attr-defined]
        except StopIteration as stopped:
            return stopped.value
        except BaseException as error:
            return type(error)
        return "suspended"

    assert attempt(loop_factory) == attempt(stock_factory())
