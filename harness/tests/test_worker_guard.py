"""The guard names what a loop changes process-wide, and stays silent about ordinary use."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
import types
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import pytest

from loopgauge.harness.worker import guard


def replaced(owner: Any, name: str) -> AbstractContextManager[object]:
    return mock.patch.object(owner, name, mock.Mock())


@contextmanager
def added_method() -> Iterator[None]:
    """Hides the one that the class inherits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.SelectorEventLoop, "call_soon", print)
        yield


@contextmanager
def removed_class() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(asyncio.base_events, "Server")
        yield


@contextmanager
def collecting_less() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(12345)
    yield
    gc.set_threshold(*before)


@contextmanager
def collecting_never() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@contextmanager
def switching_rarely() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.5)
    yield
    sys.setswitchinterval(before)


@contextmanager
def signal_handled() -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGUSR1, before)


@contextmanager
def signal_blocked() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


@contextmanager
def wakeup_fd_set() -> Iterator[None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        signal.set_wakeup_fd(ours.fileno())
        yield
        signal.set_wakeup_fd(-1)


@contextmanager
def current_loop_set() -> Iterator[None]:
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@contextmanager
def warnings_filtered() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="some message nobody else filters")
        yield


@contextmanager
def policy_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.events, "_event_loop_policy", object(), raising=False)
        yield


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (replaced(asyncio.events, "get_event_loop"), "asyncio.events.get_event_loop replaced by"),
        (replaced(asyncio.events.Handle, "_run"), "asyncio.events.Handle._run replaced by"),
        (replaced(asyncio.tasks, "Task"), "asyncio.tasks.Task replaced by"),
        (replaced(socket, "socketpair"), "socket.socketpair replaced by"),
        (replaced(sys, "excepthook"), "sys.excepthook replaced by"),
        (added_method(), "call_soon added"),
        (removed_class(), "asyncio.base_events.Server removed"),
        (collecting_less(), "gc.get_threshold() changed"),
        (collecting_never(), "gc.isenabled() changed from True to False"),
        (switching_rarely(), "sys.getswitchinterval() changed"),
        (signal_handled(), "handler of SIGUSR1 changed"),
        (signal_blocked(), "blocked signals changed"),
        (wakeup_fd_set(), "signal wakeup fd changed"),
        (current_loop_set(), "current event loop changed"),
        (policy_set(), "event loop policy changed"),
        (warnings_filtered(), "warnings.filters changed"),
        (
            mock.patch.dict(os.environ, SOME_LOOP_SETTING="1"),
            "environment variables changed: SOME_LOOP_SETTING",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_is_named_once(change: AbstractContextManager[object], named: str) -> None:
    watch = guard.Guard()
    assert watch.changes() == []
    with change:
        found = watch.changes()
        again = watch.changes()
    assert any(named in line for line in found)
    assert len(set(found)) == len(found)
    assert again == []


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop: asyncio.AbstractEventLoop = pytest.importorskip(request.param).new_event_loop()
    yield loop
    loop.close()


def test_ordinary_use_is_no_change(loop: asyncio.AbstractEventLoop) -> None:
    watch = guard.Guard()

    async def work() -> None:
        async def generator() -> AsyncIterator[int]:
            yield 1

        async for _ in generator():
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
        await loop.run_in_executor(None, time.monotonic)
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        loop.remove_signal_handler(signal.SIGUSR1)
        await loop.shutdown_default_executor()

    loop.run_until_complete(work())
    assert watch.changes() == []


def test_a_module_imported_meanwhile_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = guard.Guard()
    new = types.ModuleType("asyncio.new_in_this_test")
    new.something = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "asyncio.new_in_this_test", new)
    monkeypatch.setattr(asyncio, "new_in_this_test", new, raising=False)
    assert watch.changes() == []


def test_the_thread_is_taken_back_from_a_loop(loop: asyncio.AbstractEventLoop) -> None:
    assert guard.release_thread() == []
    asyncio._set_running_loop(loop)
    sys.set_asyncgen_hooks(firstiter=lambda generator: None)
    first, second = guard.release_thread()
    assert "running loop" in first
    assert "generator hooks" in second
    assert asyncio._get_running_loop() is None
    assert sys.get_asyncgen_hooks() == (None, None)
    assert guard.release_thread() == []
