"""Turns the catalogue into test classes of the running Python, on the loop under test."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import threading
import unittest
import warnings
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import psutil

from loopgauge.conformance.lanes.cpython.catalogue import NOT_ASKED, TIERS, LaneClass
from loopgauge.conformance.lanes.cpython.messages import Listed

PACKAGE = "test.test_asyncio"

#: Makes the loop under test; set once per process, before any test runs.
factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop

#: How often the loop under test was made in this process: a hook that is not reached would
#: otherwise let every test pass on the wrong loop.
made = 0


def new_loop(*_ignored: object) -> asyncio.AbstractEventLoop:
    global made
    made += 1
    return factory()


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """CPython's `TestCase.close_loop` through public API only.

    The original reads `loop._default_executor` and a child watcher's private table of threads.
    """
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    for thread in threading.enumerate():
        if thread.name.startswith("waitpid-"):
            thread.join(timeout=30)


def compose(entry: LaneClass) -> type[unittest.TestCase] | None:
    """The runnable class of `entry`, or None where the running version lacks a part."""
    found = [_find(name) for name in entry.parts]
    parts = [part for part in found if part is not None]
    if len(parts) < len(found):
        return None
    if entry.hook == "policy":
        return parts[0]
    bases = (*parts, *filter(None, [_find(entry.base)]))
    return type(entry.name, bases, {**_hook(entry), "__module__": __name__})


def _hook(entry: LaneClass) -> dict[str, Any]:
    if entry.hook != "setUp":
        return {entry.hook: new_loop}

    def setUp(self: Any) -> None:
        super(type(self), self).setUp()
        self.loop = new_loop()
        if hasattr(self, "set_event_loop"):  # of CPython's TestCase: closes it as well
            self.set_event_loop(self.loop)
        else:
            self.addCleanup(self.loop.close)

    return {"setUp": setUp}


def _find(names: str) -> type | None:
    """The first existing class of `module.Class|module.Class`, None where there is none."""
    for name in names.split("|"):
        module, _, attribute = name.rpartition(".")
        try:
            found = importlib.import_module(module if module == "unittest" else _in_tests(module))
        except ModuleNotFoundError:
            continue
        if hasattr(found, attribute):
            return getattr(found, attribute)  # type: ignore[no-any-return]
    return None


def _in_tests(module: str) -> str:
    return f"{PACKAGE}.{module}"


def tests_of(tier: str) -> list[tuple[Listed, type[unittest.TestCase]]]:
    """Every test of a tier in the running version, in the order of the catalogue."""
    loader = unittest.TestLoader()
    found = []
    for entry in TIERS[tier]:
        composed = compose(entry)
        if composed is None:
            continue
        for method in loader.getTestCaseNames(composed):
            listed = Listed(
                id=_identify(composed, method),
                group=entry.name,
                method=method,
                tier=tier,
                loops=entry.loops,
            )
            found.append((listed, composed))
    return found


def _identify(composed: type, method: str) -> str:
    owner = composed
    if composed.__module__ == __name__:
        owner = next(base for base in composed.__mro__ if method in vars(base))
    module = owner.__module__.removeprefix(PACKAGE + ".")
    return f"{module}.{owner.__qualname__}.{method}"


def forgotten() -> list[str]:
    """Runnable classes of the test package that neither a tier nor NOT_ASKED names."""
    named = {
        part
        for entries in TIERS.values()
        for entry in entries
        for names in entry.parts
        for part in names.split("|")
    }
    found = []
    for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__):
        if module.name.startswith("test_"):
            found += [f"{module.name}.{name}" for name in _runnable(module.name)]
    return [
        name
        for name in found
        if name not in named and not any(fnmatchcase(name, pattern) for pattern in NOT_ASKED)
    ]


def _runnable(module_name: str) -> list[str]:
    try:
        module = importlib.import_module(_in_tests(module_name))
    except unittest.SkipTest:  # another operating system's
        return []
    loader = unittest.TestLoader()
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, unittest.TestCase)
        and value.__module__ == module.__name__
        and loader.getTestCaseNames(value)
    ]


#: Bytes that must be free for the tests that CPython skips unless it is told how much it may take.
PLENTY = 6 << 30


def prepare(tier: str) -> None:
    """Once per process, before the test modules are imported: clean-up and tier B's loops."""
    support = importlib.import_module("test.support")
    utils: Any = importlib.import_module(_in_tests("utils"))
    if psutil.virtual_memory().available > PLENTY:
        support.set_memlimit("3G")
    utils.TestCase.close_loop = staticmethod(close_loop)
    if tier == "b":
        if hasattr(asyncio, "EventLoop"):
            # 3.14's task group tests say `loop_factory = asyncio.EventLoop`.
            asyncio.EventLoop = new_loop
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(_policy())


def _policy() -> Any:
    class LanePolicy(asyncio.DefaultEventLoopPolicy):
        new_event_loop = new_loop

    return LanePolicy()
