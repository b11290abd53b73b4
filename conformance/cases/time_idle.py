"""TIME: waiting costs nothing, long and strange delays, timers beside I/O, slow callbacks."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import time
from pathlib import Path

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import Sleeper
from loopgauge.conformance.trial import Trial

JOIN_SECONDS = 5.0


@case(
    "TIME-011.long",
    variants=("two-days", "month", "1e9", "1e12"),
    expected="it is accepted, does not fire, and other timers still work",
)
def long_delays(t: Trial, name: str) -> None:
    """A timer of two days and more is made beside one of 2 ms; then it is cancelled."""
    delays = {"two-days": 2 * 86400.0, "month": 31 * 86400.0, "1e9": 1e9, "1e12": 1e12}
    handle = t.loop.call_later(delays[name], t.event, "long")
    t.loop.call_later(0.002, t.event, "short")
    t.until(lambda: t.events, "the short timer fires")
    t.spin(3)
    t.saw("short")
    handle.cancel()


@case(
    "TIME-011.endless",
    variants=("1e18", "inf", "max"),
    expected="it is accepted and does not fire; to refuse it is allowed too",
)
def endless_delays(t: Trial, name: str) -> None:
    """A delay that no clock will ever reach."""
    delay = {"1e18": 1e18, "inf": math.inf, "max": 1.7e308}[name]
    try:
        handle = t.loop.call_later(delay, t.event, "long")
    except (ValueError, OverflowError) as error:
        t.non_strict(f"refuses such a delay: {type(error).__name__}")
        t.true("it is refused by an exception", True)
        return
    t.loop.call_later(0.002, t.event, "short")
    t.until(lambda: t.events, "the short timer fires")
    t.spin(3)
    t.saw("short")
    handle.cancel()


@case(
    "TIME-011.asleep",
    variants=("two-days", "1e9", "1e18"),
    expected="the loop sleeps until it is woken",
)
def long_delay_sleeps(t: Trial, name: str) -> None:
    """A loop has nothing but a timer far away; another thread looks whether it sleeps."""
    delay = {"two-days": 2 * 86400.0, "1e9": 1e9, "1e18": 1e18}[name]
    try:
        handle = t.loop.call_later(delay, t.event, "fired")
    except (ValueError, OverflowError) as error:
        t.non_strict(f"refuses such a delay: {type(error).__name__}")
        t.true("it is refused by an exception", True)
        return
    t.equal("asleep", seen_asleep(t, t.loop), True)
    t.saw()
    handle.cancel()


def seen_asleep(t: Trial, loop: asyncio.AbstractEventLoop) -> bool:
    """Runs the loop until another thread has seen it asleep, or for 3 s."""
    sleeper = Sleeper()
    found: list[bool] = []

    def look() -> None:
        found.append(sleeper.until_asleep(3.0))
        loop.call_soon_threadsafe(loop.stop)

    thread = t.thread(look)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    return found == [True]


@case(
    "TIME-012.late",
    alone=True,
    expected="the best of 30 is late by no more than 1 ms, and what the kernel takes",
)
def short_delays_are_not_rounded_up(t: Trial) -> None:
    """Thirty timers of 0.2 ms, one after the other; the one that was least late counts."""
    late = []
    for _ in range(30):
        begin = time.monotonic()
        t.loop.call_later(0.0002, t.loop.stop)
        t.loop.run_forever()
        late.append(time.monotonic() - begin - 0.0002)
    t.between("least late, seconds", min(late), -1, 0.002)


@case(
    "TIME-012.sleeps",
    alone=True,
    expected="at most half of the waiting time is CPU time: it sleeps, and does not spin",
)
def short_delays_do_not_spin(t: Trial) -> None:
    """Sixty timers of 0.9 ms, one after the other; the CPU time of the thread is measured."""
    t.spin()
    begin = time.thread_time()
    for _ in range(60):
        t.loop.call_later(0.0009, t.loop.stop)
        t.loop.run_forever()
    t.between("CPU seconds for 54 ms of waiting", time.thread_time() - begin, 0, 0.027)


@case("TIME-013.memory", expected="less than 4 MB are kept for 60 000 timers")
def cancelled_timers_are_forgotten(t: Trial) -> None:
    """60 000 timers of an hour are made and cancelled, 5000 in each iteration; resident memory is
    compared with that after the first 10 000."""

    def one_round() -> None:
        for _ in range(5000):
            t.loop.call_later(3600, t.event, "fired").cancel()
        t.spin()

    kept = [t.loop.call_later(3600, t.event, "fired") for _ in range(10)]
    one_round()
    one_round()
    before = resident()
    for _ in range(10):
        one_round()
    grown = resident() - before
    for handle in kept:
        handle.cancel()
    t.between("MB more than before", grown / 1e6, -1000, 4)


def resident() -> int:
    """Bytes of memory this process has in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@case("TIME-015.clock", expected="recorded: whether it goes on within a callback")
def clock_within_a_callback(t: Trial) -> None:
    """A callback reads loop.time(), computes for 5 ms, and reads it again."""
    seen: list[float] = []

    def callback() -> None:
        seen.append(t.loop.time())
        end = time.monotonic() + 0.005
        while time.monotonic() < end:
            pass
        seen.append(t.loop.time())

    t.loop.call_soon(callback)
    t.spin()
    t.true("not smaller", seen[1] >= seen[0])
    t.note("loop.time() within one callback", "live" if seen[1] > seen[0] else "cached")


@case(
    "TIME-016.asleep",
    variants=("nothing", "far-timer", "woken", "cancelled-timer", "silent-reader", "removed"),
    expected="it waits in the kernel",
)
def idle_loop_sleeps(t: Trial, kind: str) -> None:
    """A loop runs that has nothing to do: nothing at all; a timer an hour away; after it was woken
    by another thread; after a near timer was cancelled; with a reader on a silent socket; after
    the reader of a socket with data was removed. Another thread looks whether it sleeps."""
    loop = t.loop
    ours, peer = socket.socketpair()
    timer = loop.call_later(3600, t.event, "timer") if kind == "far-timer" else None
    if kind == "woken":
        t.thread(loop.call_soon_threadsafe, t.event, "woken").join(JOIN_SECONDS)
    if kind == "cancelled-timer":
        loop.call_later(0.001, t.event, "timer").cancel()
    if kind in ("silent-reader", "removed"):
        loop.add_reader(ours.fileno(), t.event, "reader")
    if kind == "removed":
        peer.send(b"x")
        loop.remove_reader(ours.fileno())
    asleep = seen_asleep(t, loop)
    if kind == "silent-reader":
        loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    if timer is not None:
        timer.cancel()
    t.equal("asleep", asleep, True)
    t.equal("other events", [event for event in t.events if event != "woken"], [])


@case("TIME-016.cpu", expected="less than 50 ms of CPU time in 0.25 s of idleness")
def idle_loop_takes_no_cpu(t: Trial) -> None:
    """An idle loop is run for 0.25 s; the CPU time of its thread is measured."""
    loop = t.loop
    t.spin()
    loop.call_later(0.25, loop.stop)
    begin = time.thread_time()
    loop.run_forever()
    t.between("CPU seconds", time.thread_time() - begin, 0, 0.05)


@case("TIME-018.timer", expected="the timer fires")
def busy_reader_and_timer(t: Trial) -> None:
    """A socket always has data and its reader takes none; a timer is due after 2 ms."""
    ours, peer = socket.socketpair()
    peer.send(b"x")
    begin = time.monotonic()

    def readable() -> None:
        if t.events or time.monotonic() > begin + 5:
            t.loop.stop()

    t.loop.add_reader(ours.fileno(), readable)
    t.loop.call_later(0.002, t.event, "timer")
    t.loop.run_forever()
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.saw("timer")


@case("TIME-018.reader", expected="the reader is called")
def busy_timer_and_reader(t: Trial) -> None:
    """A timer of 0 makes itself anew for ever; a socket has data."""
    ours, peer = socket.socketpair()
    peer.send(b"x")
    begin = time.monotonic()

    def again() -> None:
        if not t.events and time.monotonic() < begin + 5:
            t.loop.call_later(0, again)
        else:
            t.loop.stop()

    def readable() -> None:
        ours.recv(1)
        t.event("reader")

    t.loop.add_reader(ours.fileno(), readable)
    t.loop.call_later(0, again)
    t.loop.run_forever()
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.saw("reader")


@case("TIME-018.both", expected="both are called")
def timer_and_reader_at_once(t: Trial) -> None:
    """A timer is due and a socket has data when the loop begins to run."""
    ours, peer = socket.socketpair()
    peer.send(b"x")

    def readable() -> None:
        ours.recv(1)
        t.event("reader")

    t.loop.add_reader(ours.fileno(), readable)
    t.loop.call_at(t.loop.time() - 1, t.event, "timer")
    t.until(lambda: len(t.events) == 2, "both are called")
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.equal("called", sorted(t.events), ["reader", "timer"])


@case("TIME-019.order", expected="both are called; which first is recorded")
def order_of_reader_and_timer(t: Trial) -> None:
    """A timer becomes due and a socket readable while a callback computes."""
    ours, peer = socket.socketpair()

    def readable() -> None:
        ours.recv(1)
        t.event("reader")

    def block() -> None:
        peer.send(b"x")
        end = time.monotonic() + 0.005
        while time.monotonic() < end:
            pass

    t.loop.add_reader(ours.fileno(), readable)
    t.loop.call_later(0.001, t.event, "timer")
    t.loop.call_soon(block)
    t.until(lambda: len(t.events) == 2, "both are called")
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.equal("called", sorted(t.events), ["reader", "timer"])
    t.note("order of a reader and a timer in one iteration", ", ".join(t.events))


def slow_warnings(t: Trial) -> list[str]:
    """What was logged as WARNING on the logger asyncio."""
    return [record.getMessage() for record in t.logs if record.levelname == "WARNING"]


@case(
    "TIME-020.slow",
    variants=("callback", "timer", "task"),
    expected="a WARNING on the logger asyncio",
)
def slow_callback_is_logged(t: Trial, kind: str) -> None:
    """In debug mode with slow_callback_duration = 20 ms, a callback, a timer, or a task computes
    for 50 ms."""

    def slow() -> None:
        time.sleep(0.05)
        t.event("slow")

    async def main() -> None:
        slow()

    t.spin()  # what making the loop took is over
    t.loop.set_debug(True)
    t.loop.slow_callback_duration = 0.02
    if kind == "callback":
        t.loop.call_soon(slow)
    elif kind == "timer":
        t.loop.call_later(0, slow)
    else:
        t.run(main())
    t.until(lambda: t.events, "it has run")
    t.loop.set_debug(False)
    t.true("a warning was logged", slow_warnings(t))


@case("TIME-020.fast", expected="no warning")
def fast_callback_is_not_logged(t: Trial) -> None:
    """In debug mode with slow_callback_duration = 1000 s, a callback takes 5 ms."""
    t.loop.set_debug(True)
    t.loop.slow_callback_duration = 1000.0
    t.loop.call_soon(time.sleep, 0.005)
    t.spin()
    t.equal("warnings", slow_warnings(t), [])


@case("TIME-020.no-debug", expected="no warning")
def slow_callback_without_debug(t: Trial) -> None:
    """Without debug mode, a callback takes longer than slow_callback_duration."""
    t.loop.set_debug(False)
    t.loop.slow_callback_duration = 0.001
    t.loop.call_soon(time.sleep, 0.005)
    t.spin()
    t.equal("warnings", slow_warnings(t), [])


@case("TIME-020.default", expected="0.1: 100 ms")
def default_duration(t: Trial) -> None:
    """slow_callback_duration of a new loop is read."""
    t.equal("slow_callback_duration", getattr(t.loop, "slow_callback_duration", None), 0.1)


@case(
    "TIME-021.nan",
    variants=("later", "at"),
    expected="ValueError at the call, or the loop goes on as if nothing was",
)
def not_a_number(t: Trial, how: str) -> None:
    """A timer with a deadline of NaN is made, or refused; the loop waits for a timer of 2 ms."""
    handle = None
    try:
        make = t.loop.call_later if how == "later" else t.loop.call_at
        handle = make(math.nan, t.event, "NaN")
    except ValueError:
        t.note("NaN", "refused at the call")
    t.loop.call_later(0.002, t.loop.stop)
    try:
        t.loop.run_forever()
    except ValueError as error:
        t.event(f"run_forever raises {type(error).__name__}")
    if handle is not None:
        t.note("NaN", "fired" if "NaN" in t.events else "accepted, did not fire")
        handle.cancel()
    t.equal("errors", [event for event in t.events if event != "NaN"], [])
