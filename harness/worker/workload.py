"""Finds what a job runs: a scenario of the catalogue, or an application's coroutine function."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from loopgauge.harness.worker.engine import Engine
from loopgauge.scenarios.bare import Work
from loopgauge.scenarios.generator import Generator

APP_PREFIX = "app:"


class Workload(Protocol):
    """The part of scenarios.model.Scenario that the worker drives. One instance per arm."""

    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None
    generator: Generator | None

    @property
    def needs_generator(self) -> bool: ...

    @property
    def measure(self) -> str: ...

    @property
    def requires(self) -> frozenset[str]: ...

    @property
    def grain(self) -> int: ...

    def setup(self, loop: asyncio.AbstractEventLoop, native: Engine) -> None: ...

    def run(self, loop: asyncio.AbstractEventLoop, n: int) -> int: ...

    def teardown(self, loop: asyncio.AbstractEventLoop) -> None: ...

    def direct_work(self) -> Work | None: ...

    def last_value(self) -> float: ...

    def take_open_loop(self) -> Any | None: ...


class Coroutine:
    """ "app:module:coroutine": a coroutine function called without arguments, once per operation,
    each call in a run_until_complete of its own. The module is imported by `setup`."""

    measure = "cpu"
    requires: frozenset[str] = frozenset()
    grain = 1
    needs_generator = False
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    generator: Generator | None = None

    def __init__(self, target: str) -> None:
        self._target = target
        self._function: Callable[[], Any] | None = None

    def setup(self, loop: asyncio.AbstractEventLoop, native: Engine) -> None:
        module, _, name = self._target.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not inspect.iscoroutinefunction(found):
            raise TypeError(f"{self._target} is no coroutine function (async def)")
        self._function = found

    def run(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        function = self._function
        assert function is not None, "setup first"
        for _ in range(n):
            loop.run_until_complete(function())
        return n

    def teardown(self, loop: asyncio.AbstractEventLoop) -> None:
        self._function = None

    def direct_work(self) -> None:
        return None

    def last_value(self) -> float:
        raise NotImplementedError("an application's coroutine has no value of its own")

    def take_open_loop(self) -> None:
        return None


def make_workload(scenario: str, params: Mapping[str, Any]) -> Workload:
    """A new instance. Raises LookupError for a scenario that does not exist here."""
    if scenario.startswith(APP_PREFIX):
        return Coroutine(scenario.removeprefix(APP_PREFIX))
    # The catalogue is imported only where it is needed: an application's run does without.
    from loopgauge.scenarios.registry import all_scenarios

    known = all_scenarios()
    if scenario not in known:
        raise LookupError(f"this installation has no scenario {scenario!r}")
    made: Workload = known[scenario](**params)
    return made
