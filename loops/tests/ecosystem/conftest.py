"""Runs programs on the loop under test, and hears what the loop complains of."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

#: Seconds until a program counts as hung. Generous: two slow cores may be shared by many tests.
PATIENCE = 120.0

Program = Callable[[], Coroutine[Any, Any, Any]]


@pytest.fixture
def run(loop_factory) -> Callable[[Program], Any]:
    """Runs a coroutine function on a fresh loop and returns its result.

    Fails on whatever the loop's exception handler is told: exceptions of callbacks, of tasks
    nobody awaited, of transports. What is never closed is garbage by then, so it is told as well.
    """

    def runs(program: Program) -> Any:
        told: list[dict[str, Any]] = []

        async def bounded() -> Any:
            loop = asyncio.get_running_loop()
            assert type(loop) is kind
            loop.set_exception_handler(lambda _, context: told.append(context))
            async with asyncio.timeout(PATIENCE):
                return await program()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            kind = type(runner.get_loop())
            result = runner.run(bounded())
            gc.collect()
        assert told == []
        return result

    return runs


@pytest.fixture(params=["tcp", "tls"])
def secure(request: pytest.FixtureRequest) -> bool:
    """Whether the exchange is encrypted: every test that asks runs both ways."""
    return bool(request.param == "tls")
