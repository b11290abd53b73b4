"""Exceptions of callbacks: reported, or leaving the loop, exactly as in stock asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys

import pytest
from loop_testing.compare import on_both, outcome, quiet, run_once


def boom(error: type[BaseException] = ValueError) -> None:
    raise error("boom")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later"])
def test_handler_is_told_what_stock_tells(method: str, debug: bool) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told = quiet(loop)
        loop.set_debug(debug)
        delay = [0] if method == "call_later" else []
        handle = getattr(loop, method)(*delay, boom)
        while not told:
            run_once(loop)
        [context] = told
        assert context["handle"] is handle
        return (
            sorted(context),
            type(context["exception"]),
            str(context["exception"]),
            context["message"].split(" at ")[0],
        )

    keys, kind, text, message = on_both(scenario)
    assert {"message", "exception", "handle"} <= set(keys)
    assert ("source_traceback" in keys) is debug
    assert (kind, text) == (ValueError, "boom")
    assert message == "Exception in callback boom()"


def test_the_turn_goes_on_after_an_exception(loop) -> None:
    told = quiet(loop)
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.call_soon(boom)
    loop.call_soon(ran.append, 2)
    run_once(loop)
    assert ran == [1, 2]
    assert len(told) == 1


def test_traceback_ends_in_the_callback(loop) -> None:
    told = quiet(loop)
    loop.call_soon(boom)
    run_once(loop)
    traceback = told[0]["exception"].__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    assert traceback.tb_frame.f_code.co_name == "boom"


def test_default_handler_logs(loop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        loop.call_soon(boom)
        run_once(loop)
    [record] = caplog.records
    assert record.name == "asyncio"
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is ValueError
    assert "Exception in callback boom()" in record.getMessage()


def test_handler_that_raises(loop, caplog: pytest.LogCaptureFixture) -> None:
    def handler(*_: object) -> None:
        raise KeyError("handler")

    loop.set_exception_handler(handler)
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        loop.call_soon(boom)
        run_once(loop)
    assert "Unhandled error in exception handler" in caplog.text


def test_exception_handler_is_checked_and_returned(loop) -> None:
    with pytest.raises(TypeError):
        loop.set_exception_handler(5)
    assert loop.get_exception_handler() is None

    def handler(*_: object) -> None:
        pass

    loop.set_exception_handler(handler)
    assert loop.get_exception_handler() is handler
    loop.set_exception_handler(None)
    assert loop.get_exception_handler() is None


def test_overridden_call_exception_handler_is_called(loop_factory) -> None:
    """Subclass or instance patch: both are ways in which libraries collect errors."""
    told: list[dict[str, object]] = []

    class Loop(type(loop_factory_made(loop_factory))):  # type: ignore[misc]
        def call_exception_handler(self, context: dict[str, object]) -> None:
            told.append(context)

    loop = Loop()
    loop.call_soon(boom)
    run_once(loop)
    loop.close()
    other = loop_factory()
    other.call_exception_handler = told.append
    other.call_soon(boom)
    run_once(other)
    other.close()
    assert [type(context["exception"]) for context in told] == [ValueError, ValueError]


def loop_factory_made(factory) -> asyncio.AbstractEventLoop:
    loop = factory()
    loop.close()
    return loop


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the handler's context came with 3.12")
def test_handler_runs_in_the_context_of_the_callback(loop) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    seen: list[int] = []
    loop.set_exception_handler(lambda *_: seen.append(variable.get()))
    context = contextvars.copy_context()
    context.run(variable.set, 8)
    loop.call_soon(boom, context=context)
    run_once(loop)
    assert seen == [8]


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["call_soon", "call_later"])
def test_exits_leave_the_loop_usable(error: type[BaseException], method: str) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told = quiet(loop)
        ran: list[str] = []
        delay = [0] if method == "call_later" else []
        getattr(loop, method)(*delay, boom, error)
        loop.call_later(0.001, ran.append, "timer")
        with pytest.raises(error):
            loop.run_forever()
        states = [loop.is_running(), loop.is_closed(), asyncio._get_running_loop()]
        loop.call_soon(ran.append, "later")
        loop.call_later(0.002, loop.stop)
        loop.run_forever()
        return states, sorted(ran), told

    states, ran, told = on_both(scenario)
    assert states == [False, False, None]
    assert ran == ["later", "timer"]
    assert told == []


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_rest_of_the_turn_after_an_exit_runs_next_time(loop, error) -> None:
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.call_soon(boom, error)
    loop.call_soon(ran.append, 2)
    loop.call_soon(ran.append, 3)
    with pytest.raises(error):
        loop.run_forever()
    assert ran == [1]
    run_once(loop)
    assert ran == [1, 2, 3]


@pytest.mark.parametrize("error", [Odd, GeneratorExit, asyncio.CancelledError])
def test_other_base_exceptions_are_reported(error: type[BaseException]) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        told = quiet(loop)
        loop.call_soon(boom, error)
        ended = outcome(run_once, loop)
        return ended, [type(context["exception"]) for context in told]

    on_both(scenario)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exit_in_a_task(loop, error: type[BaseException]) -> None:
    ran: list[int] = []

    async def main() -> None:
        boom(error)

    async def other() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ran.append(1)

    bystander = loop.create_task(other())
    task = loop.create_task(main())
    with pytest.raises(error):
        loop.run_until_complete(task)
    assert isinstance(task.exception(), error)
    loop.run_until_complete(bystander)
    assert ran == [1]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exit_from_the_exception_handler(error: type[BaseException]) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        def handler(*_: object) -> None:
            raise error

        loop.set_exception_handler(handler)
        loop.call_soon(boom)
        return outcome(run_once, loop)

    assert on_both(scenario) is error


def test_exception_state_does_not_leak_between_callbacks(loop) -> None:
    seen: list[object] = []
    quiet(loop)
    loop.call_soon(boom)
    loop.call_soon(lambda: seen.append(sys.exc_info()))
    run_once(loop)
    assert seen == [(None, None, None)]


def test_exception_of_a_run_inside_an_except_block(loop) -> None:
    """The context of the exception is the caller's, as for a plain call."""
    told = quiet(loop)
    try:
        raise KeyError("outer")
    except KeyError:
        loop.call_soon(boom)
        run_once(loop)
    assert type(told[0]["exception"]) is ValueError


def test_never_retrieved_exception_is_told(loop) -> None:
    told = quiet(loop)
    future = loop.create_future()
    future.set_exception(ValueError("lost"))
    del future
    gc.collect()
    assert [type(context["exception"]) for context in told] == [ValueError]


def test_destroyed_pending_task_is_told(loop) -> None:
    told = quiet(loop)

    async def never() -> None:
        await loop.create_future()

    task = loop.create_task(never())
    run_once(loop)
    task = None  # noqa: F841
    gc.collect()
    assert ["pending" in context["message"] for context in told] == [True]
