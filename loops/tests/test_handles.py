"""Handles of call_soon: real `asyncio.Handle`s with the behaviour of the running version."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import re
import weakref

import pytest
from loop_testing.compare import on_both, run_once


def noop(*args: object) -> None:
    pass


class Token:
    """Something that can be referenced weakly."""


@pytest.fixture(params=["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def schedule(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop):
    """schedule(callback, *args, **kwargs): due at once, by each of the four methods."""
    method = getattr(loop, request.param)
    if request.param == "call_later":
        return functools.partial(method, 0)
    if request.param == "call_at":
        return functools.partial(method, loop.time())
    return method


def test_is_a_real_handle(schedule) -> None:
    handle = schedule(noop)
    assert isinstance(handle, asyncio.Handle)
    assert issubclass(type(handle), asyncio.Handle)
    handle.cancel()


def test_cancelled_callback_never_runs(loop, schedule) -> None:
    ran: list[int] = []
    handle = schedule(ran.append, 1)
    assert handle.cancelled() is False
    assert handle.cancel() is None
    assert handle.cancelled() is True
    run_once(loop)
    assert ran == []


def test_cancel_twice_and_after_the_run(loop, schedule) -> None:
    ran: list[int] = []
    handle = schedule(ran.append, 1)
    run_until(loop, ran)
    assert handle.cancelled() is False
    handle.cancel()
    handle.cancel()
    assert handle.cancelled() is True
    assert ran == [1]


def run_until(loop: asyncio.AbstractEventLoop, ran: list[int]) -> None:
    while not ran:
        run_once(loop)


def test_cancel_from_an_earlier_callback_of_the_same_turn(loop) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        second.cancel()

    loop.call_soon(first)
    second = loop.call_soon(ran.append, "second")
    loop.call_soon(ran.append, "third")
    run_once(loop)
    assert ran == ["first", "third"]


def test_cancel_during_its_own_run(loop, schedule) -> None:
    """The arguments are in use while the callback runs: cancel must not free them."""
    seen: list[object] = []

    def callback(a: list[int], b: str, c: Token) -> None:
        handle.cancel()
        gc.collect()
        seen.extend([a[0], b * 2, type(c)])

    handle = schedule(callback, [1], "".join(["x", "y"]), Token())
    run_until(loop, seen)
    assert seen == [1, "xyxy", Token]
    assert handle.cancelled() is True


def test_cancel_during_its_own_run_that_raises(loop) -> None:
    contexts = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))

    def callback() -> None:
        handle.cancel()
        raise ValueError("after cancel")

    handle = loop.call_soon(callback)
    run_once(loop)
    assert [type(context["exception"]) for context in contexts] == [ValueError]


def test_cancel_releases_callback_and_arguments(loop, schedule) -> None:
    token = Token()
    alive = weakref.ref(token)
    handle = schedule(noop, token)
    del token
    assert alive() is not None
    handle.cancel()
    gc.collect()
    assert alive() is None
    assert handle.cancelled()


def test_run_releases_callback_and_arguments(loop, schedule) -> None:
    """The loop must keep nothing of what has run; the handle itself may."""
    token = Token()
    alive = weakref.ref(token)
    ran: list[int] = []
    schedule(lambda _: ran.append(1), token)
    del token
    run_until(loop, ran)
    run_once(loop)
    gc.collect()
    assert alive() is None


def test_weak_references_and_hash(loop, schedule) -> None:
    handle = schedule(noop)
    alive = weakref.ref(handle)
    assert handle in {handle}
    assert handle == handle
    handle.cancel()
    run_once(loop)
    run_once(loop)
    del handle
    gc.collect()
    assert alive() is None


def test_get_context(loop, schedule) -> None:
    if not hasattr(asyncio.Handle, "get_context"):
        assert not hasattr(schedule(noop), "get_context")
        return
    context = contextvars.copy_context()
    handle = schedule(noop, context=context)
    assert handle.get_context() is context
    other = schedule(noop)
    assert isinstance(other.get_context(), contextvars.Context)
    assert other.get_context() is not context


CALLBACKS = {
    "function": (noop, (1, "two")),
    "no arguments": (noop, ()),
    "lambda": (lambda: None, ()),
    "builtin": (print, ()),
    "partial": (functools.partial(noop, 1), (2,)),
    "method": (Token().__init__, ()),
    "class": (Token, ()),
}


def clean(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@pytest.mark.parametrize("kind", CALLBACKS)
@pytest.mark.parametrize("debug", [False, True])
def test_repr_is_stocks(kind: str, debug: bool) -> None:
    callback, args = CALLBACKS[kind]

    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        loop.set_debug(debug)
        handle = loop.call_soon(callback, *args)
        fresh = clean(repr(handle))
        handle.cancel()
        return [fresh, clean(repr(handle))]

    fresh, cancelled = on_both(scenario)
    assert fresh.startswith("<Handle ")
    assert "cancelled" in cancelled


@pytest.mark.parametrize("debug", [False, True])
def test_timer_repr_is_stocks(debug: bool) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        loop.set_debug(debug)
        handle = loop.call_at(1e9 + 0.25, noop, 1)
        fresh = clean(repr(handle))
        handle.cancel()
        return [fresh, clean(repr(handle))]

    fresh, cancelled = on_both(scenario)
    assert fresh.startswith("<TimerHandle when=1000000000.25 ")
    assert "cancelled" in cancelled


def test_repr_after_the_run_and_after_close(loop_factory) -> None:
    """Nothing is promised about the text, only that there is one."""
    loop = loop_factory()
    ran = loop.call_soon(noop, 1)
    waiting = loop.call_later(1000, noop)
    run_once(loop)
    left = loop.call_soon(noop)
    loop.close()
    for handle in (ran, waiting, left):
        assert "Handle" in repr(handle)
        handle.cancel()
        assert handle.cancelled()


def test_debug_source_traceback_ends_at_the_caller(loop, schedule) -> None:
    loop.set_debug(True)
    handle = schedule(noop)
    traceback = handle._source_traceback
    assert isinstance(traceback, list)
    assert traceback[-1][0] == __file__
    assert traceback[-1][2] == "test_debug_source_traceback_ends_at_the_caller"


def test_no_source_traceback_without_debug(loop, schedule) -> None:
    loop.set_debug(False)
    assert schedule(noop)._source_traceback is None


def test_private_attributes_tell_the_truth(loop, schedule) -> None:
    """CPython's own code and libraries read these (`Handle._run`, uvicorn, looptime)."""
    handle = schedule(noop, 1, 2)
    assert handle._callback is noop
    assert tuple(handle._args) == (1, 2)
    assert handle._loop is loop
    assert handle._cancelled is False
    handle.cancel()
    assert handle._cancelled is True
    assert handle._callback is None
    assert handle._args is None


def test_handle_run_by_hand_runs_in_its_context(loop) -> None:
    variable = contextvars.ContextVar("variable", default=0)
    context = contextvars.copy_context()
    context.run(variable.set, 7)
    seen: list[int] = []
    handle = loop.call_soon(lambda: seen.append(variable.get()), context=context)
    handle._run()
    assert seen == [7]
    handle.cancel()


def test_handles_can_be_made_by_hand() -> None:
    """A native subclass must not break the base: asyncio makes plain handles too."""

    def scenario(loop: asyncio.AbstractEventLoop) -> list[object]:
        ran: list[int] = []
        handle = asyncio.Handle(ran.append, (1,), loop)
        timer = asyncio.TimerHandle(12.5, ran.append, (2,), loop)
        handle._run()
        timer._run()
        result = [ran[:], timer.when(), timer.cancelled(), clean(repr(handle))]
        timer.cancel()
        return [*result, timer.cancelled()]

    on_both(scenario)


def test_handle_survives_without_its_loop(loop_factory) -> None:
    loop = loop_factory()
    handle = loop.call_soon(noop)
    timer = loop.call_later(100, noop)
    loop.close()
    del loop
    gc.collect()
    handle.cancel()
    timer.cancel()
    assert handle.cancelled()
    assert timer.cancelled()
    assert timer.when() > 0


def test_handle_takes_part_in_garbage_collection(loop) -> None:
    """A cycle through handle and callback must be found."""

    class Node:
        def callback(self) -> None:
            pass

    node = Node()
    alive = weakref.ref(node)
    node.handle = loop.call_soon(node.callback)
    run_once(loop)
    del node
    gc.collect()
    assert alive() is None


def test_loop_takes_part_in_garbage_collection(loop_factory) -> None:
    """A closed loop in a cycle with its own attribute must be found."""
    loop = loop_factory()
    token = Token()
    token.loop = loop
    loop.token = token
    alive = weakref.ref(token)
    loop.close()
    del loop, token
    gc.collect()
    assert alive() is None


def test_pending_handle_keeps_its_arguments_alive(loop) -> None:
    token = Token()
    alive = weakref.ref(token)
    loop.call_soon(noop, token)
    del token
    gc.collect()
    assert alive() is not None
