"""call_soon: order, arguments, contexts, and the arguments it refuses."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import sys
import weakref

import pytest
from loop_testing.compare import on_both, outcome, run_once

variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


def test_first_in_first_out(loop) -> None:
    ran: list[int] = []
    for number in range(1000):
        loop.call_soon(ran.append, number)
    assert ran == []
    run_once(loop)
    assert ran == list(range(1000))


def test_queued_by_a_callback_runs_in_the_next_turn(loop) -> None:
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        loop.call_soon(ran.append, "from first")

    loop.call_soon(first)
    loop.call_soon(ran.append, "second")
    run_once(loop)
    assert ran == ["first", "second"]
    run_once(loop)
    assert ran == ["first", "second", "from first"]


@pytest.mark.parametrize("count", range(8))
def test_arguments(loop, count: int) -> None:
    """Both sides of every limit up to which arguments may live in the handle itself."""
    seen: list[tuple[object, ...]] = []
    args = tuple(f"argument {i}" for i in range(count))
    loop.call_soon(lambda *given: seen.append(given), *args)
    run_once(loop)
    assert seen == [args]


@pytest.mark.parametrize("count", range(8))
def test_argument_references_are_returned(loop, count: int) -> None:
    token = object()
    before = sys.getrefcount(token)
    for _ in range(3):
        loop.call_soon(lambda *given: None, *[token] * count)
        run_once(loop)
        handle = loop.call_soon(lambda *given: None, *[token] * count)
        handle.cancel()
        del handle
        run_once(loop)
    gc.collect()
    assert sys.getrefcount(token) == before


def test_callback_kinds(loop) -> None:
    ran: list[object] = []

    class Callable:
        def __call__(self, value: object) -> None:
            ran.append(value)

        def method(self, value: object) -> None:
            ran.append(value)

        @classmethod
        def of_class(cls, value: object) -> None:
            ran.append(value)

    for callback in (
        ran.append,
        lambda value: ran.append(value),
        Callable(),
        Callable().method,
        Callable.of_class,
        functools.partial(ran.append),
        functools.partial(list.append, ran),
    ):
        loop.call_soon(callback, len(ran))
        run_once(loop)
    assert ran == list(range(7))


def test_context_is_copied_when_scheduled(loop) -> None:
    seen: list[int] = []
    variable.set(1)
    loop.call_soon(lambda: seen.append(variable.get()))
    variable.set(2)
    loop.call_soon(lambda: seen.append(variable.get()))
    variable.set(3)
    run_once(loop)
    assert seen == [1, 2]


def test_changes_stay_in_the_context_of_the_callback(loop) -> None:
    variable.set(1)
    context = contextvars.copy_context()
    loop.call_soon(variable.set, 5, context=context)
    loop.call_soon(variable.set, 9)
    run_once(loop)
    assert variable.get() == 1
    assert context[variable] == 5


def test_one_context_for_several_callbacks(loop) -> None:
    context = contextvars.copy_context()
    seen: list[int] = []
    loop.call_soon(variable.set, 11, context=context)
    loop.call_soon(lambda: seen.append(variable.get()), context=context)
    run_once(loop)
    assert seen == [11]


def test_context_none_is_no_context(loop) -> None:
    seen: list[int] = []
    variable.set(4)
    loop.call_soon(lambda: seen.append(variable.get()), context=None)
    run_once(loop)
    assert seen == [4]


def test_context_references_are_returned(loop) -> None:
    context = contextvars.copy_context()
    before = sys.getrefcount(context)
    for _ in range(3):
        loop.call_soon(lambda: None, context=context)
        run_once(loop)
        loop.call_soon(lambda: None, context=context).cancel()
        run_once(loop)
    gc.collect()
    assert sys.getrefcount(context) == before


def test_entered_context_is_reported_not_fatal() -> None:
    """A context that is already entered cannot be entered again."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told: list[type] = []
        loop.set_exception_handler(lambda _, info: told.append(type(info.get("exception"))))
        context = contextvars.copy_context()
        loop.call_soon(lambda: None, context=context)
        ended = outcome(context.run, run_once, loop)
        after: list[int] = []
        loop.call_soon(after.append, 1)
        run_once(loop)
        return ended, told, after

    on_both(scenario)


BAD_CALLS = {
    "nothing": lambda loop: loop.call_soon(),
    "unknown keyword": lambda loop: loop.call_soon(print, colour="red"),
    "unknown beside context": lambda loop: loop.call_soon(print, context=None, colour=1),
    "threadsafe: nothing": lambda loop: loop.call_soon_threadsafe(),
    "threadsafe: unknown keyword": lambda loop: loop.call_soon_threadsafe(print, colour=1),
    "later: nothing": lambda loop: loop.call_later(),
    "later: no callback": lambda loop: loop.call_later(1),
    "later: unknown keyword": lambda loop: loop.call_later(1, print, colour=1),
    "at: nothing": lambda loop: loop.call_at(),
    "at: no callback": lambda loop: loop.call_at(1),
    "at: unknown keyword": lambda loop: loop.call_at(1, print, colour=1),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls_raise_what_stock_raises(name: str, debug: bool) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        loop.set_debug(debug)
        return outcome(BAD_CALLS[name], loop)

    assert on_both(scenario) is TypeError


GOOD_CALLS = {
    "later: all by name": lambda loop, f: loop.call_later(delay=0, callback=f, context=None),
    "later: callback by name": lambda loop, f: loop.call_later(0, callback=f),
    "at: all by name": lambda loop, f: loop.call_at(when=loop.time(), callback=f),
    "soon: callback by name": lambda loop, f: loop.call_soon(callback=f),
    "threadsafe: callback by name": lambda loop, f: loop.call_soon_threadsafe(callback=f),
}


@pytest.mark.parametrize("name", GOOD_CALLS)
def test_arguments_by_name(name: str) -> None:
    """Parameter names are part of the documented signature."""

    def scenario(loop: asyncio.AbstractEventLoop) -> list[int]:
        ran: list[int] = []

        def callback() -> None:
            ran.append(1)
            loop.stop()

        GOOD_CALLS[name](loop, callback)
        loop.run_forever()
        return ran

    assert on_both(scenario) == [1]


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe"])
def test_context_that_is_none_of_ours(loop, method: str) -> None:
    """Refused at once or reported when it should run: never a crash, never run."""
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    ran: list[int] = []
    result = outcome(getattr(loop, method), ran.append, 1, context=5)
    run_once(loop)
    assert result is TypeError or told
    assert ran == []


async def coroutine_function() -> None:
    pass


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_at"])
@pytest.mark.parametrize("kind", ["coroutine", "coroutine function", "no callable", "None"])
def test_what_is_no_callback(method: str, kind: str, debug: bool) -> None:
    """Refused in debug mode, reported when it runs otherwise: both as stock does."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told: list[type] = []
        loop.set_exception_handler(lambda _, info: told.append(type(info["exception"])))
        loop.set_debug(debug)
        coroutine = coroutine_function()
        callback = {
            "coroutine": coroutine,
            "coroutine function": coroutine_function,
            "no callable": 42,
            "None": None,
        }[kind]
        when = [loop.time()] if method == "call_at" else []
        called = outcome(getattr(loop, method), *when, callback)
        coroutine.close()
        if isinstance(called, asyncio.Handle):
            called = "accepted"
        run_once(loop)
        run_once(loop)
        return called, told

    called, _told = on_both(scenario)
    if debug:
        assert called is TypeError


def test_debug_refusal_leaves_nothing_behind(loop) -> None:
    token = coroutine_function()
    loop.set_debug(True)
    with pytest.raises(TypeError):
        loop.call_soon(token)
    alive = weakref.ref(token)
    token.close()
    del token
    gc.collect()
    assert alive() is None


def test_closed_loop_refuses(loop_factory) -> None:
    loop = loop_factory()
    loop.close()
    for call in (
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at(1, print),
    ):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            call()


def test_close_drops_what_is_queued(loop_factory) -> None:
    loop = loop_factory()
    ran: list[int] = []

    class Token:
        pass

    token = Token()
    alive = weakref.ref(token)
    loop.call_soon(lambda _: ran.append(1), token)
    loop.call_later(0, lambda _: ran.append(1), token)
    loop.call_later(1000, lambda _: ran.append(1), token)
    loop.call_soon_threadsafe(lambda _: ran.append(1), token)
    del token
    loop.close()
    gc.collect()
    assert ran == []
    assert alive() is None
