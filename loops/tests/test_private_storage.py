"""Each private attribute of asyncio's loop classes has exactly one storage.

`isinstance(loop, asyncio.BaseEventLoop)` invites other code to read and write them. A native loop
may keep one natively or leave it to the instance's dictionary, never both: a value written
through Python would then not be the one that is used. The names are read from the sources of the
running version, so that a new one is not missed.
"""

from __future__ import annotations

import ast
import asyncio
import asyncio.base_events
import asyncio.selector_events
import asyncio.unix_events
import inspect
import signal

import pytest
from loop_testing.compare import run_once

LOOP_CLASSES = {
    asyncio.base_events: "BaseEventLoop",
    asyncio.selector_events: "BaseSelectorEventLoop",
    asyncio.unix_events: "_UnixSelectorEventLoop",
}


def assigned_names() -> list[str]:
    """Every `self.name = ...` inside the three classes whose code a loop inherits."""
    names: set[str] = set()
    for module, class_name in LOOP_CLASSES.items():
        tree = ast.parse(inspect.getsource(module))
        [definition] = [
            node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name
        ]
        for node in ast.walk(definition):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            ):
                names.add(node.attr)
    return sorted(names)


NAMES = assigned_names()


def is_native(loop: asyncio.AbstractEventLoop, name: str) -> bool:
    """A data descriptor of some class takes precedence over the instance's dictionary."""
    return any(
        hasattr(vars(base)[name], "__set__") for base in type(loop).__mro__ if name in vars(base)
    )


@pytest.fixture
def used_loop(loop):
    """After everything that assigns attributes has happened once."""
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.call_later(1000, int).cancel()
    loop.set_debug(False)
    loop.set_exception_handler(lambda *_: None)
    loop.set_exception_handler(None)
    loop.set_task_factory(None)
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.run_until_complete(asyncio.sleep(0))
    return loop


def test_the_scan_finds_what_is_known() -> None:
    assert {"_ready", "_scheduled", "_debug", "_stopping", "_thread_id", "_selector"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_storage(used_loop, name: str) -> None:
    in_dictionary = name in vars(used_loop)
    native = is_native(used_loop, name)
    assert not (in_dictionary and native), f"{name} is stored twice"
    if in_dictionary or native:
        getattr(used_loop, name)


@pytest.mark.parametrize("name", NAMES)
def test_written_is_what_is_read(used_loop, name: str) -> None:
    """Writing the value back changes nothing and makes no second copy."""
    if not hasattr(used_loop, name):
        pytest.skip("not set on a loop of this kind")
    before = getattr(used_loop, name)
    setattr(used_loop, name, before)
    after = getattr(used_loop, name)
    assert after is before or after == before
    assert not (name in vars(used_loop) and is_native(used_loop, name))
    assert used_loop.run_until_complete(asyncio.sleep(0, "usable")) == "usable"


def test_debug(loop) -> None:
    loop._debug = True
    assert loop.get_debug() is True
    handle = loop.call_soon(int)
    assert handle._source_traceback is not None
    loop.set_debug(False)
    assert loop._debug is False


def test_stopping(loop) -> None:
    """uvloop's users and nest_asyncio set it by hand."""
    ran: list[int] = []

    def turn() -> None:
        ran.append(1)
        assert len(ran) < 100, "_stopping was not seen"
        loop._stopping = len(ran) >= 3
        loop.call_soon(turn)

    loop.call_soon(turn)
    loop.run_forever()
    assert len(ran) == 3
    assert loop._stopping is False
    loop.stop()
    assert loop._stopping is True
    loop.run_forever()
    assert len(ran) == 4


def test_thread_id(loop) -> None:
    import threading

    seen: list[object] = []
    assert loop._thread_id is None
    loop.call_soon(lambda: seen.append(loop._thread_id))
    run_once(loop)
    assert seen == [threading.get_ident()]
    assert loop._thread_id is None


def test_closed(loop_factory) -> None:
    loop = loop_factory()
    assert loop._closed is False
    loop.close()
    assert loop._closed is True


def test_exception_handler(loop) -> None:
    told: list[object] = []

    def handler(_: object, context: object) -> None:
        told.append(context)

    loop._exception_handler = handler
    assert loop.get_exception_handler() is handler
    loop.call_soon(lambda: 1 / 0)
    run_once(loop)
    assert len(told) == 1
    loop.set_exception_handler(None)
    assert loop._exception_handler is None


def test_task_factory(loop) -> None:
    """create_task is native only as long as there is none: it must see this one."""
    made: list[object] = []

    def factory(given: object, coro: object, **kwargs: object) -> object:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **kwargs)

    loop._task_factory = factory
    assert loop.get_task_factory() is factory
    loop.run_until_complete(asyncio.sleep(0))
    assert len(made) == 1
    loop.set_task_factory(None)
    assert loop._task_factory is None


def test_slow_callback_duration(loop, caplog) -> None:
    assert loop.slow_callback_duration == 0.1
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    loop.call_soon(int)
    with caplog.at_level("WARNING", logger="asyncio"):
        run_once(loop)
    assert "Executing <Handle" in caplog.text


def test_selector(loop) -> None:
    """One epoll instance: what the loop watches is what the selector knows."""
    import selectors
    import socket

    left, right = socket.socketpair()
    assert isinstance(loop._selector, selectors.BaseSelector)
    before = len(loop._selector.get_map())
    loop.add_reader(right, int)
    key = loop._selector.get_key(right)
    assert key.fd == right.fileno()
    assert key.events == selectors.EVENT_READ
    assert len(loop._selector.get_map()) == before + 1
    loop.add_writer(right, int)
    assert loop._selector.get_key(right).events == selectors.EVENT_READ | selectors.EVENT_WRITE
    loop.remove_reader(right)
    loop.remove_writer(right)
    with pytest.raises(KeyError):
        loop._selector.get_key(right)
    left.close()
    right.close()


def test_signal_handlers(loop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, int)
    assert signal.SIGUSR1 in loop._signal_handlers
    assert isinstance(loop._signal_handlers[signal.SIGUSR1], asyncio.Handle)
    loop.remove_signal_handler(signal.SIGUSR1)
    assert signal.SIGUSR1 not in loop._signal_handlers


def test_current_handle_in_debug_mode(loop) -> None:
    seen: list[object] = []
    loop.set_debug(True)
    handle = loop.call_soon(lambda: seen.append(loop._current_handle))
    run_once(loop)
    assert seen == [handle]
    assert loop._current_handle is None


def test_timer_cancelled_count(loop) -> None:
    """Whatever is counted natively, the attribute is a number that is never negative."""
    for handle in [loop.call_later(1000, int) for _ in range(10)]:
        handle.cancel()
    assert loop._timer_cancelled_count >= 0
    run_once(loop)
    assert loop._timer_cancelled_count >= 0
