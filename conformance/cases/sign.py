"""SIGN: add_signal_handler and remove_signal_handler."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import when_asleep
from loopgauge.conformance.kit.peers import in_thread
from loopgauge.conformance.trial import Trial

JOIN_SECONDS = 5.0
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


def send(signum: int) -> None:
    """Sends the signal to this process."""
    os.kill(os.getpid(), signum)


@case("SIGN-001.arguments", expected="one call in the loop, with the arguments")
def handler_is_called(t: Trial) -> None:
    """A handler with two arguments; the signal is sent once while the loop runs."""
    seen: list[tuple[Any, ...]] = []

    def handler(*args: Any) -> None:
        seen.append((*args, asyncio.get_running_loop() is t.loop))

    t.loop.add_signal_handler(signal.SIGUSR1, handler, 1, "two")
    t.loop.call_soon(send, signal.SIGUSR1)
    t.until(lambda: seen, "the handler is called")
    t.spin(3)
    t.equal("calls", seen, [(1, "two", True)])


@case("SIGN-001.each", expected="each signal calls its own handler, every time it comes")
def several_signals(t: Trial) -> None:
    """Three signals have handlers; each is sent twice."""
    signals = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
    for signum in signals:
        t.loop.add_signal_handler(signum, t.event, signum.name)
    for turn in range(2):
        for number, signum in enumerate(signals):
            t.loop.call_soon(send, signum)
            count = turn * 3 + number + 1
            t.until(lambda count=count: len(t.events) >= count, "a handler is called")  # type: ignore[misc]
    t.spin(3)
    t.saw(*["SIGUSR1", "SIGUSR2", "SIGHUP"] * 2)


@case("SIGN-001.failing", expected="reported like any callback; the next signal comes as well")
def failing_handler(t: Trial) -> None:
    """A handler raises when the signal comes; the signal is sent twice."""
    reports: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda _loop, context: reports.append(context))

    def handler() -> None:
        raise ValueError("meant")

    t.loop.add_signal_handler(signal.SIGUSR1, handler)
    for count in (1, 2):
        t.loop.call_soon(send, signal.SIGUSR1)
        t.until(lambda count=count: len(reports) == count, "the error is reported")  # type: ignore[misc]
    names = [type(report["exception"]).__name__ for report in reports]
    t.equal("exceptions", names, ["ValueError", "ValueError"])


@case("SIGN-001.context", expected="the value at the time the handler was added")
def context_of_the_handler(t: Trial) -> None:
    """A variable is changed between add_signal_handler and the signal."""
    VARIABLE.set("added")
    t.loop.add_signal_handler(signal.SIGUSR1, lambda: t.event(VARIABLE.get()))
    VARIABLE.set("later")
    t.loop.call_soon(send, signal.SIGUSR1)
    t.until(lambda: t.events, "the handler is called")
    t.saw("added")


@case("SIGN-001.int", expected="SIGINT calls the handler; no KeyboardInterrupt")
def handler_for_sigint(t: Trial) -> None:
    """SIGINT has a handler; it is sent while the loop runs."""
    t.loop.add_signal_handler(signal.SIGINT, t.event, "SIGINT")
    t.loop.call_soon(send, signal.SIGINT)
    t.until(lambda: t.events, "the handler is called")
    t.saw("SIGINT")


@case("SIGN-002.type", expected="TypeError")
def bad_type(t: Trial) -> None:
    """Handlers are added and removed for a text, None and a float."""
    for value in ("SIGUSR1", None, 10.5):
        with t.raises(TypeError, what=f"adding for {value!r}"):
            t.loop.add_signal_handler(value, t.event, "called")  # type: ignore[arg-type]
        with t.raises(TypeError, what=f"removing for {value!r}"):
            t.loop.remove_signal_handler(value)  # type: ignore[arg-type]


@case("SIGN-002.range", expected="ValueError")
def bad_number(t: Trial) -> None:
    """Handlers are added and removed for numbers that are no signals."""
    for value in (0, -1, signal.NSIG + 1, 10_000):
        with t.raises(ValueError, what=f"adding for {value}"):
            t.loop.add_signal_handler(value, t.event, "called")
        with t.raises(ValueError, what=f"removing for {value}"):
            t.loop.remove_signal_handler(value)


@case("SIGN-002.uncatchable", expected="RuntimeError; nothing is registered")
def uncatchable(t: Trial) -> None:
    """Handlers are added for SIGKILL and SIGSTOP."""
    for signum in (signal.SIGKILL, signal.SIGSTOP):
        with t.raises(RuntimeError, what=f"adding for {signum.name}"):
            t.loop.add_signal_handler(signum, t.event, "called")
        t.equal(f"removing {signum.name}", t.loop.remove_signal_handler(signum), False)
    t.equal("wake-up descriptor left behind", signal.set_wakeup_fd(-1), -1)


def in_state(t: Trial, state: str, action: Callable[[], None]) -> None:
    """Calls `action` before the loop runs, or within a run."""

    async def main() -> None:
        action()

    if state == "running":
        t.run(main())
    else:
        action()


@case("SIGN-003.result", variants=("before-run", "running"), expected="True once, then False")
def result_of_the_removal(t: Trial, state: str) -> None:
    """A handler is removed that was never added; then one that was, twice."""

    def action() -> None:
        t.equal("never added", t.loop.remove_signal_handler(signal.SIGUSR1), False)
        t.loop.add_signal_handler(signal.SIGUSR1, t.event, "called")
        t.equal("added", t.loop.remove_signal_handler(signal.SIGUSR1), True)
        t.equal("removed before", t.loop.remove_signal_handler(signal.SIGUSR1), False)

    in_state(t, state, action)


@case(
    "SIGN-003.default",
    variants=("before-run", "running"),
    expected="SIG_DFL again, and default_int_handler for SIGINT",
)
def disposition_is_restored(t: Trial, state: str) -> None:
    """Handlers for SIGUSR1, SIGTERM and SIGINT are added and removed."""

    def action() -> None:
        for signum in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            wanted = signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL
            t.loop.add_signal_handler(signum, t.event, "called")
            t.true(f"{signum.name} is caught", signal.getsignal(signum) != wanted)
            t.loop.remove_signal_handler(signum)
            t.true(f"{signum.name} is as it was", signal.getsignal(signum) == wanted)

    in_state(t, state, action)


@case("SIGN-003.others", expected="the other handler still works")
def removal_leaves_others(t: Trial) -> None:
    """Two signals have handlers; one is removed, and the other signal is sent."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "SIGUSR1")
    t.loop.add_signal_handler(signal.SIGUSR2, t.event, "SIGUSR2")
    t.loop.remove_signal_handler(signal.SIGUSR1)
    t.loop.call_soon(send, signal.SIGUSR2)
    t.until(lambda: t.events, "the handler is called")
    t.loop.remove_signal_handler(signal.SIGUSR2)
    t.saw("SIGUSR2")


@case("SIGN-003.again", expected="called after it was added again")
def added_again(t: Trial) -> None:
    """A handler is added, removed, and added again; then the signal is sent."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "first")
    t.loop.remove_signal_handler(signal.SIGUSR1)
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "second")
    t.loop.call_soon(send, signal.SIGUSR1)
    t.until(lambda: t.events, "the handler is called")
    t.loop.remove_signal_handler(signal.SIGUSR1)
    t.saw("second")


@case("SIGN-004.before", expected="called as soon as the loop runs")
def signal_before_the_run(t: Trial) -> None:
    """A handler is added and the signal sent before the loop runs."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "called")
    send(signal.SIGUSR1)
    t.equal("calls before the run", len(t.events), 0)
    t.until(lambda: t.events, "the handler is called")
    t.saw("called")


@case("SIGN-004.between", expected="called in the next run")
def signal_between_runs(t: Trial) -> None:
    """The signal is sent between two runs."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "called")
    t.spin(2)
    send(signal.SIGUSR1)
    t.until(lambda: t.events, "the handler is called")
    t.saw("called")


@case("SIGN-004.asleep", expected="run_forever() ends: it does not sleep over the signal")
def signal_before_an_idle_run(t: Trial) -> None:
    """The handler stops the loop; the signal is sent before run_forever(), which has nothing else
    to do."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.loop.stop)
    send(signal.SIGUSR1)
    t.loop.run_forever()
    t.event("ended")
    t.saw("ended")


@case("SIGN-005.idle", expected="the handler is called at once, three times")
def signal_wakes_the_loop(t: Trial) -> None:
    """The loop sleeps without a timer; a thread that has seen it asleep sends the signal."""

    def handler() -> None:
        t.event("called")
        t.loop.stop()

    t.loop.add_signal_handler(signal.SIGUSR1, handler)
    for _ in range(3):
        thread = when_asleep(lambda: send(signal.SIGUSR1))
        t.loop.run_forever()
        thread.join(JOIN_SECONDS)
    t.saw("called", "called", "called")


@case("SIGN-005.prompt", alone=True, expected="the fastest of 10 takes less than 50 ms")
def signal_wakes_promptly(t: Trial) -> None:
    """The sleeping loop gets the signal ten times; the time until the handler runs is measured."""
    sent: list[float] = []
    took: list[float] = []

    def handler() -> None:
        took.append(time.monotonic() - sent[-1])
        t.loop.stop()

    def timed() -> None:
        sent.append(time.monotonic())
        send(signal.SIGUSR1)

    t.loop.add_signal_handler(signal.SIGUSR1, handler)
    for _ in range(10):
        thread = when_asleep(timed)
        t.loop.run_forever()
        thread.join(JOIN_SECONDS)
    t.between("fastest of 10, seconds", min(took), 0, 0.05)


@case("SIGN-006.thread", expected="RuntimeError or ValueError, and nothing is registered")
def not_in_the_main_thread(t: Trial) -> None:
    """Another thread adds a handler."""
    loop = t.loop
    with t.raises(RuntimeError, ValueError):
        t.run(in_thread(loop.add_signal_handler, signal.SIGUSR1, t.event, "called"))
    t.true("the signal is not caught", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
    t.equal("removing", loop.remove_signal_handler(signal.SIGUSR1), False)


@case("SIGN-007.coroutine", expected="TypeError, and the signal is not caught")
def coroutine_as_handler(t: Trial) -> None:
    """A coroutine function and a coroutine are given as handler."""

    async def nothing() -> None:
        pass

    coroutine = nothing()
    with t.raises(TypeError, what="a coroutine function"):
        t.loop.add_signal_handler(signal.SIGUSR1, nothing)
    with t.raises(TypeError, what="a coroutine"):
        t.loop.add_signal_handler(signal.SIGUSR1, coroutine)  # type: ignore[arg-type]
    coroutine.close()
    t.true("the signal is not caught", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)


@case("SIGN-010.dispositions", expected="as before the handlers were added")
def close_restores_dispositions(t: Trial) -> None:
    """A loop with handlers for SIGUSR1 and SIGINT runs and is closed."""
    loop = t.factory()
    loop.add_signal_handler(signal.SIGUSR1, t.event, "called")
    loop.add_signal_handler(signal.SIGINT, t.event, "called")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    t.true("SIGUSR1", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
    t.true("SIGINT", signal.getsignal(signal.SIGINT) == signal.default_int_handler)
    t.equal("wake-up descriptor", signal.set_wakeup_fd(-1), -1)


@case("SIGN-010.never-ran", expected="as before the handlers were added")
def close_of_a_loop_that_never_ran(t: Trial) -> None:
    """A loop with a handler is closed without having run."""
    loop = t.factory()
    loop.add_signal_handler(signal.SIGUSR1, t.event, "called")
    loop.close()
    t.true("SIGUSR1", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
    t.equal("wake-up descriptor", signal.set_wakeup_fd(-1), -1)


@case("SIGN-010.foreign", expected="what others set stays as it is")
def close_leaves_what_is_not_its_own(t: Trial) -> None:
    """The program has set a wake-up descriptor and a Python handler; a loop without signal
    handlers runs and is closed."""
    ours, peer = socket.socketpair()
    for sock in (ours, peer):
        sock.setblocking(False)

    def handler(*_: object) -> None:
        pass

    signal.set_wakeup_fd(ours.fileno())
    signal.signal(signal.SIGUSR2, handler)
    loop = t.factory()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    t.true("the handler is still there", signal.getsignal(signal.SIGUSR2) is handler)
    t.equal("the wake-up descriptor is still there", signal.set_wakeup_fd(-1), ours.fileno())
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    ours.close()
    peer.close()


@case("SIGN-012.replace", expected="only the second handler is called; one removal removes it")
def handler_is_replaced(t: Trial) -> None:
    """Two handlers are added for the same signal, one after the other."""

    async def main() -> None:
        called = asyncio.Event()

        def second() -> None:
            t.event("second")
            called.set()

        t.loop.add_signal_handler(signal.SIGUSR1, t.event, "first")
        t.loop.add_signal_handler(signal.SIGUSR1, second)
        send(signal.SIGUSR1)
        await called.wait()
        t.equal("removed", t.loop.remove_signal_handler(signal.SIGUSR1), True)
        t.equal("removed again", t.loop.remove_signal_handler(signal.SIGUSR1), False)

    t.run(main())
    t.spin(3)
    t.saw("second")
