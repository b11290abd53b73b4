"""Fixtures for every test of the loops: the loop under test and its clean-up."""

from __future__ import annotations

import argparse
import asyncio
import gc
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from loop_testing import target


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("loops")
    group.addoption(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="CPython lane: every test in a process of its own, instead of one per class",
    )
    group.addoption(
        "--lane-jobs",
        type=int,
        default=2,
        help="CPython lane: how many processes run at once (default 2)",
    )
    group.addoption(
        "--white-box",
        action="store_true",
        default=False,
        help="CPython lane: also run what the annotations would skip",
    )


def pytest_configure(config: pytest.Config) -> None:
    # looptime is here as a library; its pytest plugin fails every test where pytest-asyncio,
    # whose fixtures it patches, is not installed.
    if not config.pluginmanager.hasplugin("asyncio"):
        plugin = config.pluginmanager.getplugin("looptime_plugin")
        if plugin is not None:
            config.pluginmanager.unregister(plugin)


def pytest_report_header() -> str:
    return f"loop under test: {target.target_name()}"


@pytest.fixture(scope="session")
def loop_factory() -> target.LoopFactory:
    """Makes the loop under test; a test that needs several loops calls it and closes them."""
    return target.target_factory()


@pytest.fixture
def loop(loop_factory: target.LoopFactory) -> Iterator[asyncio.AbstractEventLoop]:
    """A fresh loop under test, closed afterwards."""
    yield from closing(loop_factory)


@pytest.fixture
def stock_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A fresh loop of asyncio itself, for comparisons."""
    yield from closing(target.stock_factory())


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that do not block, closed afterwards."""
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


def closing(factory: target.LoopFactory) -> Iterator[asyncio.AbstractEventLoop]:
    loop = factory()
    yield loop
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    asyncio.set_event_loop(None)
    gc.collect()
