"""EXCH: the exception handler, the default one, and debug mode."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
import time
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.trial import Trial

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


def fails() -> None:
    """A callback that raises."""
    raise ValueError("meant")


def errors(t: Trial) -> list[Any]:
    """What was logged as ERROR on the logger asyncio."""
    return [record for record in t.logs if record.levelname == "ERROR"]


@case("EXCH-001.kinds", expected="TypeError; the handler that was set before stays")
def what_is_no_handler(t: Trial) -> None:
    """set_exception_handler with things that cannot be called."""

    def handler(_loop: object, _context: object) -> None:
        t.event("handler")

    t.loop.set_exception_handler(handler)
    for value in ("text", 1, object()):
        with t.raises(TypeError, what=f"set_exception_handler({type(value).__name__})"):
            t.loop.set_exception_handler(value)  # type: ignore[arg-type]
    t.true("the handler is still set", t.loop.get_exception_handler() is handler)
    t.loop.call_exception_handler({"message": "meant"})
    t.saw("handler")


@case("EXCH-001.none", leaves=("logs",), expected="None is taken, and the default handler is back")
def handler_none(t: Trial) -> None:
    """A handler is set, then None."""
    t.loop.set_exception_handler(lambda *_: t.event("handler"))
    t.loop.set_exception_handler(None)
    t.loop.call_exception_handler({"message": "meant"})
    t.saw()
    t.equal("records of the default handler", len(errors(t)), 1)


@case("EXCH-002.get", expected="None, the handler, None")
def current_handler(t: Trial) -> None:
    """get_exception_handler of a new loop, after a handler was set, and after it was unset."""

    def handler(_loop: object, _context: object) -> None:
        pass

    t.equal("of a new loop", t.loop.get_exception_handler(), None)
    t.loop.set_exception_handler(handler)
    t.true("the one that was set", t.loop.get_exception_handler() is handler)
    t.loop.set_exception_handler(None)
    t.equal("after it was unset", t.loop.get_exception_handler(), None)


@case("EXCH-003.arguments", expected="the loop and the very dictionary, once")
def arguments_of_the_handler(t: Trial) -> None:
    """call_exception_handler is called with a dictionary that has a key of its own."""
    seen: list[tuple[Any, ...]] = []
    t.loop.set_exception_handler(lambda *args: seen.append(args))
    context = {"message": "meant", "own": 1}
    t.loop.call_exception_handler(context)
    t.equal("calls", len(seen), 1)
    t.equal("number of arguments", len(seen[0]), 2)
    t.true("the first one is the loop", seen[0][0] is t.loop)
    t.equal("the second one", seen[0][1], {"message": "meant", "own": 1})


@case("EXCH-003.callback", expected="one call, with the loop; nothing is logged")
def handler_for_a_callback(t: Trial) -> None:
    """A callback raises; a handler is set."""
    seen: list[tuple[Any, ...]] = []
    t.loop.set_exception_handler(lambda *args: seen.append(args))
    t.loop.call_soon(fails)
    t.spin(2)
    t.equal("calls", len(seen), 1)
    t.true("the first argument is the loop", seen[0][0] is t.loop)
    t.equal("type of the exception", type(seen[0][1]["exception"]).__name__, "ValueError")
    t.equal("records logged", len(errors(t)), 0)


@case("EXCH-003.reader", expected="one call with exception and handle; the reader stays")
def handler_for_a_reader(t: Trial) -> None:
    """The callback of a reader raises, once; then it reads."""
    seen: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _loop, context: seen.append(context))
    ours, peer = socket.socketpair()
    peer.send(b"x")

    def readable() -> None:
        if not seen:
            raise ValueError("meant")
        t.event(ours.recv(1).decode())

    t.loop.add_reader(ours.fileno(), readable)
    t.until(lambda: t.events, "the reader is called again")
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.equal("calls of the handler", len(seen), 1)
    t.equal("type of the exception", type(seen[0]["exception"]).__name__, "ValueError")
    t.true("there is a handle", "handle" in seen[0])


@case("EXCH-003.task", expected="one call with message, exception and task or future")
def handler_for_a_task(t: Trial) -> None:
    """A task raises, nobody asks for its exception, and it is collected."""
    seen: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _loop, context: seen.append(context))

    async def main() -> None:
        raise ValueError("meant")

    task = t.loop.create_task(main())
    t.spin(3)
    t.true("the task is done", task.done())
    del task
    t.collect()
    t.equal("calls of the handler", len(seen), 1)
    t.equal("type of the exception", type(seen[0]["exception"]).__name__, "ValueError")
    t.true("there is a task or future", "task" in seen[0] or "future" in seen[0])


@case(
    "EXCH-004.context",
    variants=("callback", "timer", "task"),
    expected="the handler sees the variable of the callback or task that raised",
)
def context_of_the_handler(t: Trial, kind: str) -> None:
    """A callback, a timer or a task sets a variable and raises; the handler reads the variable."""
    t.loop.set_exception_handler(lambda *_: t.event(VARIABLE.get()))

    def sets_and_fails() -> None:
        VARIABLE.set("of the callback")
        raise ValueError("meant")

    async def main() -> None:
        sets_and_fails()

    if kind == "callback":
        t.loop.call_soon(sets_and_fails)
    elif kind == "timer":
        t.loop.call_later(0, sets_and_fails)
    else:
        t.loop.create_task(main())
    for _ in range(4):
        t.spin()
        t.collect()
    t.saw("of the callback")


@case(
    "EXCH-005.logged",
    variants=("Exception", "BaseException"),
    leaves=("logs",),
    expected="one ERROR record, about the handler's exception; the loop goes on",
)
def handler_fails(t: Trial, name: str) -> None:
    """A callback raises, and then the handler raises too: an exception of its own, derived from
    Exception or from BaseException."""
    kind = type("Own", (Exception if name == "Exception" else BaseException,), {})

    def handler(_loop: object, _context: object) -> None:
        t.event("handler")
        raise kind("of the handler")

    t.loop.set_exception_handler(handler)
    t.loop.call_soon(fails)
    t.loop.call_soon(t.event, "after")
    t.spin(2)
    t.saw("handler", "after")
    t.equal("records", len(errors(t)), 1)
    told = errors(t)[0].exc_info
    t.true("it shows the handler's exception", told and told[0] is kind)


@case("EXCH-006.record", leaves=("logs",), expected="one ERROR record with message and exc_info")
def default_handler_logs(t: Trial) -> None:
    """call_exception_handler is called without a handler set, with an exception and with a key of
    its own."""
    error = ValueError("meant")
    t.loop.call_exception_handler({"message": "the message", "exception": error, "own": "value"})
    t.equal("records", len(errors(t)), 1)
    told = errors(t)[0]
    t.true("exc_info has the exception", told.exc_info and told.exc_info[1] is error)
    t.true("the message is in it", "the message" in told.getMessage())
    t.true("the key of its own is in it", "own" in told.getMessage())


@case("EXCH-006.no-exception", leaves=("logs",), expected="one ERROR record without exc_info")
def default_handler_without_exception(t: Trial) -> None:
    """The default handler is called without an exception, and without a message."""
    t.loop.default_exception_handler({"message": "the message"})
    t.loop.default_exception_handler({})
    t.equal("records", len(errors(t)), 2)
    t.true("no exc_info", not errors(t)[0].exc_info)
    t.true("a message although there was none", errors(t)[1].getMessage())


@case("EXCH-006.defer", leaves=("logs",), expected="handler, and one ERROR record")
def handler_defers_to_the_default(t: Trial) -> None:
    """A handler hands its context on to default_exception_handler."""

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        t.event("handler")
        loop.default_exception_handler(context)

    t.loop.set_exception_handler(handler)
    t.loop.call_soon(fails)
    t.spin(2)
    t.saw("handler")
    t.equal("records", len(errors(t)), 1)


class Unprintable:
    """An object whose repr() raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@case("EXCH-007.repr", leaves=("logs",), expected="no exception; an ERROR record says so")
def default_handler_fails(t: Trial) -> None:
    """The context has an object whose repr() raises, so the default handler cannot show it."""
    try:
        t.loop.call_exception_handler({"message": "meant", "thing": Unprintable()})
    except RuntimeError as error:
        t.event(f"raises {error!r}")
    t.saw()
    t.true("an error was logged", errors(t))


@case(
    "EXCH-008.exit",
    variants=("SystemExit", "KeyboardInterrupt"),
    expected="it comes out of call_exception_handler and of run_forever",
)
def handler_ends_the_program(t: Trial, name: str) -> None:
    """The handler raises SystemExit or KeyboardInterrupt, called directly and for a callback."""
    kind = SystemExit if name == "SystemExit" else KeyboardInterrupt

    def handler(_loop: object, _context: object) -> None:
        raise kind

    t.loop.set_exception_handler(handler)
    with t.raises(kind, what="call_exception_handler raises"):
        t.loop.call_exception_handler({"message": "meant"})
    t.loop.call_soon(fails)
    t.loop.call_later(5, t.loop.stop)
    with t.raises(kind, what="run_forever raises"):
        t.loop.run_forever()
    t.equal("running", t.loop.is_running(), False)
    t.equal("records logged", len(errors(t)), 0)


@case(
    "EXCH-009.environment",
    variants=("1", "empty", "unset"),
    expected="on for a text, off for an empty one or none",
)
def debug_follows_the_environment(t: Trial, value: str) -> None:
    """A fresh interpreter with PYTHONASYNCIODEBUG set to 1, to nothing, and without it."""
    variables = {"1": "1", "empty": "", "unset": ""}
    source = "loop = new_loop(); print(loop.get_debug()); loop.close()"
    if value == "unset":
        source = "import os; os.environ.pop('PYTHONASYNCIODEBUG', None)\n" + source
    done = t.python(source, PYTHONASYNCIODEBUG=variables[value])
    t.equal("get_debug()", done.stdout.strip(), str(value == "1"))


@case("EXCH-009.dev-mode", expected="on")
def debug_in_development_mode(t: Trial) -> None:
    """A fresh interpreter with -X dev."""
    done = t.python("loop = new_loop(); print(loop.get_debug()); loop.close()", "-X", "dev")
    t.equal("get_debug()", done.stdout.strip(), "True")


@case("EXCH-009.ignored", expected="off: -E ignores the variable")
def debug_without_environment(t: Trial) -> None:
    """A fresh interpreter with PYTHONASYNCIODEBUG=1 that ignores the environment (-E)."""
    source = "loop = new_loop(); print(loop.get_debug()); loop.close()"
    done = t.python(source, "-E", PYTHONASYNCIODEBUG="1")
    t.equal("get_debug()", done.stdout.strip(), "False")


@case("EXCH-010.switch", expected="get_debug() follows set_debug(), before and within a run")
def debug_is_switched(t: Trial) -> None:
    """Debug mode is switched on and off, outside of a run and in a callback."""
    t.loop.set_debug(True)
    t.equal("after set_debug(True)", t.loop.get_debug(), True)
    t.loop.set_debug(False)
    t.equal("after set_debug(False)", t.loop.get_debug(), False)
    t.loop.call_soon(t.loop.set_debug, True)
    t.spin(2)
    t.equal("after set_debug(True) in a callback", t.loop.get_debug(), True)
    t.loop.set_debug(False)


@case("EXCH-010.origin", expected="on within the run, off again after it")
def origin_tracking(t: Trial) -> None:
    """The interpreter's tracking of where coroutines come from is read in a run in debug mode, and
    after it."""
    depths: list[bool] = []
    sys.set_coroutine_origin_tracking_depth(0)
    t.loop.set_debug(True)
    t.loop.call_soon(lambda: depths.append(sys.get_coroutine_origin_tracking_depth() > 0))
    t.spin(2)
    t.loop.set_debug(False)
    t.loop.call_soon(lambda: depths.append(sys.get_coroutine_origin_tracking_depth() > 0))
    t.spin(2)
    t.equal("tracked with and without debug mode", depths, [True, False])
    t.equal("depth afterwards", sys.get_coroutine_origin_tracking_depth(), 0)


@case("EXCH-010.origin-restored", expected="3 after the run: what the program had set")
def origin_tracking_is_restored(t: Trial) -> None:
    """The program tracks origins to a depth of 3 before it runs a loop in debug mode."""
    sys.set_coroutine_origin_tracking_depth(3)
    t.loop.set_debug(True)
    t.spin(2)
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(0)
    t.loop.set_debug(False)
    t.equal("depth after the run", depth, 3)


@case("EXCH-010.origin-running", expected="on soon after the switch")
def origin_tracking_switched_in_a_run(t: Trial) -> None:
    """Debug mode is switched on while the loop runs."""

    async def main() -> None:
        t.loop.set_debug(True)
        for _ in range(3):
            await asyncio.sleep(0)
        t.equal("depth is above 0", sys.get_coroutine_origin_tracking_depth() > 0, True)
        t.loop.set_debug(False)
        for _ in range(3):
            await asyncio.sleep(0)
        t.equal("depth is above 0 after it", sys.get_coroutine_origin_tracking_depth() > 0, False)

    t.run(main())


@case("EXCH-011.never-awaited", expected="the RuntimeWarning says where the coroutine was made")
def never_awaited_in_debug_mode(t: Trial) -> None:
    """In debug mode a coroutine is made in a run, and never awaited."""

    async def forgotten() -> None:
        pass

    def makes_one() -> None:
        forgotten()  # type: ignore[unused-coroutine]

    t.loop.set_debug(True)
    t.loop.call_soon(makes_one)
    t.spin(2)
    t.loop.set_debug(False)
    t.collect()
    texts = [str(seen.message) for seen in t.warnings if seen.category is RuntimeWarning]
    t.equal("warnings", len(texts), 1)
    t.true("it names the function that made it", "makes_one" in texts[0])


@case("EXCH-011.thread", expected="RuntimeError in the other thread, and no call")
def thread_misuse_in_debug_mode(t: Trial) -> None:
    """In debug mode another thread sets the result of a future that has a callback."""
    t.loop.set_debug(True)

    async def main() -> None:
        future = t.loop.create_future()
        future.add_done_callback(lambda _: t.event("called"))
        with t.raises(RuntimeError):
            await in_thread(future.set_result, None)

    t.run(main())
    t.spin(2)
    t.loop.set_debug(False)
    t.saw()


@case("EXCH-011.slow", expected="a WARNING on the logger asyncio")
def slow_callback_in_debug_mode(t: Trial) -> None:
    """In debug mode with slow_callback_duration = 10 ms, a reader takes 30 ms."""
    ours, peer = socket.socketpair()
    peer.send(b"x")

    def readable() -> None:
        t.loop.remove_reader(ours.fileno())
        time.sleep(0.03)
        t.event("read")

    t.loop.set_debug(True)
    t.loop.slow_callback_duration = 0.01
    t.loop.add_reader(ours.fileno(), readable)
    t.until(lambda: t.events, "the reader is called")
    t.loop.set_debug(False)
    ours.close()
    peer.close()
    t.true("a warning was logged", [r for r in t.logs if r.levelname == "WARNING"])
