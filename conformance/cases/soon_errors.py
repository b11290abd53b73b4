"""SOON: what happens to callbacks that raise, and to what is no callback (debug mode)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.kit.scheduling import ALL, schedule
from loopgauge.conformance.trial import Trial


def collect_reports(t: Trial) -> list[dict[str, Any]]:
    """What the exception handler of the loop is told from now on."""
    reports: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _loop, context: reports.append(context))
    return reports


@case(
    "SOON-010.report",
    variants=ALL,
    expected="the exception handler is called once, with message, exception and handle",
)
def failing_callback_is_reported(t: Trial, how: str) -> None:
    """A callback that call_soon, call_soon_threadsafe, call_later or call_at scheduled raises
    ValueError."""
    reports = collect_reports(t)
    error = ValueError("meant")

    def fails() -> None:
        raise error

    handle = schedule(t.loop, how, fails)
    t.until(lambda: reports, "the exception handler is called")
    t.spin(2)
    t.equal("reports", len(reports), 1)
    t.true("exception is the one that was raised", reports[0].get("exception") is error)
    t.true("message is a text", isinstance(reports[0].get("message"), str))
    t.true("handle is the one that was returned", reports[0].get("handle") is handle)


@case("SOON-010.goes-on", variants=ALL, expected="before, after, later: nothing is lost")
def loop_goes_on(t: Trial, how: str) -> None:
    """Of three callbacks the second raises; what comes behind it and later is still called."""
    reports = collect_reports(t)

    def fails() -> None:
        raise ValueError("meant")

    t.loop.call_soon(t.event, "before")
    schedule(t.loop, how, fails)
    t.loop.call_soon(t.event, "after")
    t.until(lambda: reports and len(t.events) == 2, "all callbacks are called")
    t.equal("running", t.loop.is_running(), False)
    t.loop.call_soon(t.event, "later")
    t.spin()
    t.saw("before", "after", "later")
    t.equal("reports", len(reports), 1)


@case(
    "SOON-010.base-exception",
    variants=("CancelledError", "GeneratorExit", "BaseException"),
    expected="reported like any other exception; the loop goes on",
)
def base_exceptions_are_reported(t: Trial, name: str) -> None:
    """A callback raises something that is no Exception, but not meant to end the program."""
    reports = collect_reports(t)
    types: dict[str, type[BaseException]] = {
        "CancelledError": asyncio.CancelledError,
        "GeneratorExit": GeneratorExit,
        "BaseException": BaseException,
    }

    def fails() -> None:
        raise types[name]("meant")

    t.loop.call_soon(fails)
    t.loop.call_soon(t.event, "after")
    t.spin()
    t.saw("after")
    t.equal("exceptions reported", [type(r["exception"]).__name__ for r in reports], [name])


@case(
    "SOON-010.exit",
    variants=("SystemExit", "KeyboardInterrupt"),
    expected="it comes out of run_forever(), is not reported, and the loop can be run again",
)
def exits_leave_the_loop(t: Trial, name: str) -> None:
    """A callback raises SystemExit or KeyboardInterrupt, with another callback behind it."""
    reports = collect_reports(t)
    kind = SystemExit if name == "SystemExit" else KeyboardInterrupt

    def fails() -> None:
        raise kind

    t.loop.call_soon(fails)
    t.loop.call_soon(t.event, "behind it")
    t.loop.call_later(4, t.loop.stop)
    with t.raises(kind, what="run_forever raises"):
        t.loop.run_forever()
    t.equal("running", t.loop.is_running(), False)
    t.equal("reports", len(reports), 0)
    t.until(lambda: t.events, "the callback behind it is called in the next run")
    t.saw("behind it")


@case(
    "SOON-010.exit-from",
    variants=("threadsafe", "later", "at", "reader", "writer"),
    expected="it comes out of run_forever() and is not reported; the loop can be run again",
)
def exits_leave_the_loop_from_everywhere(t: Trial, how: str) -> None:
    """SystemExit is raised by a callback of another kind: of call_soon_threadsafe, of a timer, of a
    reader, of a writer."""
    reports = collect_reports(t)
    ours, peer = socket.socketpair()
    peer.send(b"x")

    def exits() -> None:
        t.event("raised")
        if how in ("reader", "writer"):
            (t.loop.remove_reader if how == "reader" else t.loop.remove_writer)(ours.fileno())
        raise SystemExit

    if how == "reader":
        t.loop.add_reader(ours.fileno(), exits)
    elif how == "writer":
        t.loop.add_writer(ours.fileno(), exits)
    else:
        schedule(t.loop, how, exits)
    t.loop.call_later(4, t.loop.stop)
    with t.raises(SystemExit, what="run_forever raises"):
        t.loop.run_forever()
    t.equal("running", t.loop.is_running(), False)
    t.equal("reports", len(reports), 0)
    ours.close()
    peer.close()
    t.loop.call_soon(t.event, "later")
    t.spin(3)
    t.saw("raised", "later")


@case("SOON-010.logged", leaves=("logs",), expected="one ERROR record on the logger asyncio")
def failing_callback_is_logged(t: Trial) -> None:
    """A callback raises, and no exception handler was set."""

    def fails() -> None:
        raise ValueError("meant")

    t.loop.call_soon(fails)
    t.spin(2)
    t.equal("error records", len(t.log_messages()), 1)


@case("SOON-011.coroutine", variants=ALL, expected="TypeError, and nothing is scheduled")
def coroutine_as_callback(t: Trial, how: str) -> None:
    """In debug mode, a coroutine object is given as callback."""

    async def nothing() -> None:
        t.event("ran")

    t.loop.set_debug(True)
    coroutine = nothing()
    with t.raises(TypeError):
        schedule(t.loop, how, coroutine)  # type: ignore[arg-type]
    coroutine.close()
    t.spin(2)
    t.saw()


@case("SOON-011.function", variants=ALL, expected="TypeError, and nothing is called")
def coroutine_function_as_callback(t: Trial, how: str) -> None:
    """In debug mode, a coroutine function is given as callback."""

    async def nothing() -> None:
        pass

    t.loop.set_debug(True)
    with t.raises(TypeError):
        schedule(t.loop, how, nothing)
    t.spin(2)
    t.equal("warnings that it was never awaited", len(t.warnings), 0)


@case("SOON-012.kinds", variants=ALL, expected="TypeError for each of them")
def not_callable(t: Trial, how: str) -> None:
    """In debug mode, things that cannot be called are given as callback."""
    t.loop.set_debug(True)
    values: tuple[Any, ...] = (1, "text", None, object())
    for value in values:
        with t.raises(TypeError, what=f"{how} with a {type(value).__name__}"):
            schedule(t.loop, how, value)
    t.spin()


@case("SOON-012.off", expected="a callback that can be called is taken")
def callable_in_debug_mode(t: Trial) -> None:
    """In debug mode, callable objects of several kinds are scheduled."""

    class Caller:
        def __call__(self, text: str) -> None:
            t.event(text)

    t.loop.set_debug(True)
    t.loop.call_soon(Caller(), "object")
    t.loop.call_soon(lambda: t.event("function"))
    t.loop.call_soon(t.event, "method")
    t.spin()
    t.saw("object", "function", "method")


@case(
    "SOON-013.wrong-thread",
    variants=("soon", "later", "at"),
    expected="RuntimeError in the other thread, and no call",
)
def wrong_thread(t: Trial, how: str) -> None:
    """In debug mode, another thread schedules a callback while the loop runs."""
    t.loop.set_debug(True)

    async def main() -> None:
        with t.raises(RuntimeError):
            await in_thread(lambda: schedule(t.loop, how, t.event, "called"))

    t.run(main())
    t.spin(3)
    t.saw()


@case("SOON-013.right-thread", variants=ALL, expected="no error, and the callbacks are called")
def right_thread(t: Trial, how: str) -> None:
    """In debug mode, the loop's own thread schedules a callback, before the run and within it."""
    t.loop.set_debug(True)
    schedule(t.loop, how, t.event, "called")

    async def main() -> None:
        schedule(t.loop, how, t.event, "called")

    t.run(main())
    t.until(lambda: len(t.events) == 2, "both are called")
    t.saw("called", "called")


@case("SOON-013.threadsafe", expected="no error; called")
def threadsafe_in_debug_mode(t: Trial) -> None:
    """In debug mode, another thread uses call_soon_threadsafe while the loop runs."""
    t.loop.set_debug(True)
    t.run(in_thread(lambda: t.loop.call_soon_threadsafe(t.event, "called")))
    t.until(lambda: t.events, "it is called")
    t.saw("called")
