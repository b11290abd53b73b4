"""Bugs that were found by attacking the loop, each with the smallest script that showed it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import os
from typing import Any

import pytest
from loop_testing import process


def run_all(loop: Any) -> list[BaseException]:
    """One run of what is queued; returns what was reported to the exception handler."""
    reported: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    loop.call_soon(loop.stop)
    loop.run_forever()
    return reported


def test_callback_set_to_none_is_reported(loop) -> None:
    handle = loop.call_soon(int)
    handle._callback = None
    (error,) = run_all(loop)
    assert isinstance(error, TypeError)


def test_cancellation_taken_back_is_reported(loop) -> None:
    handle = loop.call_soon(int)
    handle.cancel()
    handle._cancelled = False
    (error,) = run_all(loop)
    assert isinstance(error, TypeError)


@pytest.mark.parametrize("value", [None, 5, object()])
def test_loop_of_a_handle_set_to_anything(loop, value: object) -> None:
    handle = loop.call_later(1000, int)
    with contextlib.suppress(AttributeError):
        handle._loop = value
    with contextlib.suppress(AttributeError):
        handle.cancel()


def test_loop_and_context_of_a_handle_deleted(loop) -> None:
    handle = loop.call_soon(int)
    for name in ("_loop", "_context"):
        with contextlib.suppress(AttributeError, TypeError):
            delattr(handle, name)
    with contextlib.suppress(AttributeError):
        handle.cancel()
    loop.stop()
    loop.run_forever()


def test_context_of_a_handle_can_be_replaced(loop) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    context.run(variable.set, 1)
    seen: list[int] = []
    handle = loop.call_soon(lambda: seen.append(variable.get(0)))
    handle._context = context
    run_all(loop)
    assert seen == [1]


class Fickle:
    """An argument that takes itself away while it is looked at."""

    handle: Any
    name: str

    def __index__(self) -> int:
        with contextlib.suppress(RuntimeError, TypeError):
            setattr(self.handle, self.name, None)
        return 3


@pytest.mark.parametrize("name", ["_args", "_callback", "_context"])
def test_handle_changed_by_its_own_callback(loop, name: str) -> None:
    for arguments in (3, 1):  # in the handle, and through a tuple
        values = [Fickle() for _ in range(arguments)]
        handle = loop.call_soon(range, *values)
        del values
        for value in handle._args:
            value.handle, value.name = handle, name
        del value
        run_all(loop)


@pytest.mark.parametrize("number", [10**6, 2**31 - 1])
def test_number_that_is_no_descriptor(loop, number: int) -> None:
    """The table once grew to the number before the kernel was asked: 48 GB for the largest."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_reader(number, int)


def test_number_beyond_every_descriptor(loop) -> None:
    with pytest.raises(OverflowError):
        loop.add_reader(2**31, int)


def test_add_and_remove_take_keywords(loop) -> None:
    left, right = os.pipe()
    loop.add_reader(fd=left, callback=int)
    assert loop.remove_reader(fd=left)
    loop.add_writer(right, callback=int)
    assert loop.remove_writer(fd=right)
    os.close(left)
    os.close(right)


@pytest.mark.parametrize("before", [62, 63, 64, 65])
def test_exit_is_not_lost_at_the_first_look_at_the_clock(before: int) -> None:
    """Only the first loop of a process could lose it."""
    done = process.python(
        f"""
        loop = new_loop()
        for _ in range({before}):
            loop.call_soon(int)
        loop.call_soon(sys.exit, 3)
        loop.call_later(0.1, loop.stop)
        loop.run_forever()
        """
    )
    assert done.returncode == 3, process.describe(done)


def test_inner_call_soon_of_the_instance(loop) -> None:
    calls: list[object] = []
    original = loop._call_soon

    def replacement(*args: Any) -> Any:
        calls.append(args)
        return original(*args)

    loop._call_soon = replacement
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert calls


def test_overridden_wake_up_is_called(loop_factory) -> None:
    loop = loop_factory()
    calls: list[int] = []
    original = loop._write_to_self

    def replacement() -> None:
        calls.append(1)
        original()

    loop._write_to_self = replacement
    loop.call_soon_threadsafe(loop.stop)
    loop.run_forever()
    assert calls == [1]
    loop.close()


@pytest.mark.parametrize("name", ["_run_forever_setup", "_run_forever_cleanup"])
def test_overridden_halves_of_run_forever(loop, name: str) -> None:
    if not hasattr(asyncio.BaseEventLoop, name):
        pytest.skip("the seams came with 3.13")
    calls: list[int] = []
    original = getattr(loop, name)

    def replacement() -> None:
        calls.append(1)
        original()

    setattr(loop, name, replacement)
    loop.run_until_complete(asyncio.sleep(0))
    assert calls == [1]


def test_ready_replaced_by_an_empty_queue_of_another_type(loop) -> None:
    class Counting(collections.deque[Any]):
        appended = 0

        def append(self, item: Any) -> None:
            Counting.appended += 1
            super().append(item)

    loop._ready = Counting()
    loop.run_until_complete(asyncio.sleep(0))
    assert Counting.appended > 0


def test_loop_keyword_of_create_task(loop) -> None:
    coroutine = asyncio.sleep(0)
    with pytest.raises(TypeError):
        loop.create_task(coroutine, loop=loop)
    coroutine.close()
