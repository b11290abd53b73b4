"""A pytest plugin that runs any asyncio test suite on a chosen loop.

`pytest -p loopgauge.conformance.plugin --loop NAME`. A test comes by its loop in one of four ways,
and each is served where it is documented: plain `asyncio.run`, `asyncio.Runner` and
`asyncio.new_event_loop` ask the event loop policy, pytest-asyncio its fixtures, anyio the options
of its backend, `unittest.IsolatedAsyncioTestCase` its `loop_factory` (from 3.13) or the policy.
A suite that chooses a loop by these means is overruled; one that names a factory in the call
(`asyncio.run(..., loop_factory=...)`) is not. Without `--loop` nothing is done.
"""

from __future__ import annotations

import asyncio
import sys
import unittest
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from loopgauge.loops.registry import (
    LoopError,
    LoopFactory,
    availability,
    load_factory,
    new_loop,
    resolve,
)
from loopgauge.loops.spec import LoopSpec


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("loopgauge").addoption(
        "--loop",
        dest="loopgauge_loop",
        metavar="NAME|MODULE:FACTORY",
        help="run every asyncio test on this event loop (`bench list loops` shows the names)",
    )


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("loopgauge_loop")
    if name is None:
        return
    here = str(config.invocation_params.dir)
    if here not in sys.path:  # the `pytest` script does not look there; last, to shadow nothing
        sys.path.append(here)
    chosen = _Chosen(*_find(name))
    config.pluginmanager.register(chosen, "loopgauge_loop")
    previous = _policy()
    chosen.install()
    config.add_cleanup(lambda: _set_policy(previous))


def _find(name: str) -> tuple[LoopSpec, str, LoopFactory]:
    """The loop, its version, and what makes it; tried once, for one clear error instead of one per
    test. Raises pytest.UsageError."""
    try:
        spec = resolve(name)
        found = availability(spec)
        if not found.ok:
            raise LoopError(f"loop {name!r} cannot run here: {found.reason}")
        new_loop(spec).close()
        made = load_factory(spec)
    except LoopError as error:
        raise pytest.UsageError(f"--loop: {error}") from error
    return spec, found.version, lambda: made(*spec.arguments)


class _Chosen:
    """The hooks of a session whose loop was chosen."""

    def __init__(self, spec: LoopSpec, version: str, factory: LoopFactory) -> None:
        self.spec = spec
        self.version = version
        self.factory = factory
        self.policy = _policy_of(factory)
        #: What these fixtures return is replaced; one that is not there is not missed.
        self.fixtures: dict[str, Callable[[Any], Any]] = {
            "event_loop_policy": lambda theirs: self.policy,  # pytest-asyncio
            "_asyncio_loop_factory": self.or_none,  # pytest-asyncio, from its loop factories
            "anyio_backend": self.backend,
        }

    def install(self) -> None:
        """Again before every step of a test: a conftest or a test may have set another policy."""
        if _policy() is not self.policy:
            _set_policy(self.policy)

    def pytest_report_header(self) -> str:
        name = " ".join(filter(None, [self.spec.name, self.version]))
        return f"event loop: {name} ({self.spec.factory})"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self.install()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self.install()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        kind = getattr(item, "cls", None)
        if (
            sys.version_info >= (3, 13)
            and isinstance(kind, type)
            and issubclass(kind, unittest.IsolatedAsyncioTestCase)
        ):
            kind.loop_factory = staticmethod(self.factory)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        result = yield
        replace = self.fixtures.get(fixturedef.argname)
        if replace is None or fixturedef.cached_result is None:
            return result
        result = replace(result)
        fixturedef.cached_result = (result, *fixturedef.cached_result[1:])
        return result

    def or_none(self, theirs: LoopFactory | None) -> LoopFactory | None:
        """None asks the policy."""
        return None if theirs is None else self.factory

    def backend(self, theirs: Any) -> Any:
        """anyio's name of a backend, or a pair of it and its options; trio's stays as it is."""
        name, options = (theirs, {}) if isinstance(theirs, str) else theirs
        if name != "asyncio":
            return theirs
        kept = {key: value for key, value in options.items() if key != "use_uvloop"}
        return name, {**kept, "loop_factory": self.factory}


# Policies are deprecated from Python 3.14 and gone in 3.16, but until then they are the one place
# that asyncio.run() and asyncio.new_event_loop() ask. The warnings would be blamed on the suite.


def _policy_of(factory: LoopFactory) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        default: Any = asyncio.DefaultEventLoopPolicy

    class Policy(default):  # type: ignore[misc]
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return factory()

    return Policy()


def _policy() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy()


def _set_policy(policy: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(policy)
