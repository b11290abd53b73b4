"""SOON: call_soon_threadsafe, from other threads, signal handlers and closed loops."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import Sleeper, when_asleep
from loopgauge.conformance.trial import Trial

JOIN_SECONDS = 5.0


@case(
    "SOON-015.wakes",
    variants=("nothing", "far-timer", "reader"),
    expected="the loop wakes up and calls the callback, though nothing else would wake it",
)
def wakes_a_sleeping_loop(t: Trial, kind: str) -> None:
    """The loop waits: for nothing, for a timer an hour away, or for a silent socket. As soon as it
    sleeps, another thread calls call_soon_threadsafe; three times."""
    loop = t.loop
    ours, peer = socket.socketpair()
    timer = loop.call_later(3600, t.event, "timer") if kind == "far-timer" else None
    if kind == "reader":
        loop.add_reader(ours.fileno(), t.event, "reader")
    for _ in range(3):
        thread = when_asleep(lambda: loop.call_soon_threadsafe(loop.stop))
        loop.run_forever()
        t.event("woken")
        thread.join(JOIN_SECONDS)
    if timer is not None:
        timer.cancel()
    if kind == "reader":
        loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.saw("woken", "woken", "woken")


@case(
    "SOON-015.prompt",
    alone=True,
    expected="the fastest of 20 wake-ups takes less than 50 ms",
)
def wakes_promptly(t: Trial) -> None:
    """Another thread wakes the sleeping loop 20 times, and measures until the callback runs."""
    loop = t.loop
    took: list[float] = []
    sleeper = Sleeper()

    def work() -> None:
        for _ in range(20):
            sleeper.until_asleep(0.3)
            called = threading.Event()
            begin = time.monotonic()
            loop.call_soon_threadsafe(called.set)
            called.wait(JOIN_SECONDS)
            took.append(time.monotonic() - begin)
        loop.call_soon_threadsafe(loop.stop)

    thread = t.thread(work)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    t.between("fastest of 20, seconds", min(took), 0, 0.05)


@case("SOON-015.ping-pong", expected="500 answers; none of the wake-ups is lost")
def no_wake_up_is_lost(t: Trial) -> None:
    """Another thread schedules a callback, waits until it was called, and does so again, so that
    the loop is met in every state between working and sleeping."""
    loop = t.loop
    answered = 0

    def work() -> None:
        nonlocal answered
        for _ in range(500):
            called = threading.Event()
            loop.call_soon_threadsafe(called.set)
            if not called.wait(JOIN_SECONDS):
                break
            answered += 1
        loop.call_soon_threadsafe(loop.stop)

    thread = t.thread(work)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    t.equal("answers", answered, 500)


@case("SOON-016.order", expected="a, b, c, d: the order of the calls")
def order_with_call_soon(t: Trial) -> None:
    """call_soon and call_soon_threadsafe are used in turns, before the loop runs."""
    t.loop.call_soon(t.event, "a")
    t.loop.call_soon_threadsafe(t.event, "b")
    t.loop.call_soon(t.event, "c")
    t.loop.call_soon_threadsafe(t.event, "d")
    t.spin(2)
    t.saw("a", "b", "c", "d")


@case("SOON-016.running", expected="a, b, c, d: the order of the calls")
def order_with_call_soon_while_running(t: Trial) -> None:
    """A running callback uses call_soon_threadsafe and call_soon in turns."""

    def first() -> None:
        t.loop.call_soon_threadsafe(t.event, "a")
        t.loop.call_soon(t.event, "b")
        t.loop.call_soon_threadsafe(t.event, "c")
        t.loop.call_soon(t.event, "d")

    t.loop.call_soon(first)
    t.spin(3)
    t.saw("a", "b", "c", "d")


@case("SOON-017.closed", expected="RuntimeError, and no call")
def closed_loop(t: Trial) -> None:
    """call_soon_threadsafe on a closed loop, in the same thread and in another one."""
    loop = t.factory()
    loop.close()
    with t.raises(RuntimeError, what="in the thread that closed the loop"):
        loop.call_soon_threadsafe(t.event, "called")
    errors: list[type[BaseException]] = []

    def work() -> None:
        try:
            loop.call_soon_threadsafe(t.event, "called")
        except BaseException as error:
            errors.append(type(error))

    t.thread(work).join(JOIN_SECONDS)
    t.equal("raised in another thread", errors, [RuntimeError])
    t.saw()


@case("SOON-018.sleeping", profile="Process", expected="the callback is called at once")
def from_a_signal_handler(t: Trial) -> None:
    """While the loop sleeps, a signal comes whose Python handler uses call_soon_threadsafe."""
    loop = t.loop

    def handler(*_: object) -> None:
        loop.call_soon_threadsafe(loop.stop)

    before = signal.signal(signal.SIGUSR1, handler)
    thread = when_asleep(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    loop.run_forever()
    t.event("woken")
    thread.join(JOIN_SECONDS)
    signal.signal(signal.SIGUSR1, before)
    t.saw("woken")


@case("SOON-018.reentrant", profile="Process", expected="no call is lost, and no deadlock")
def interrupted_by_itself(t: Trial) -> None:
    """The loop's thread uses call_soon_threadsafe all the time, and is interrupted by signals
    whose handler does the same."""
    called = 0
    interrupts = 0

    def count() -> None:
        nonlocal called
        called += 1

    def handler(*_: object) -> None:
        nonlocal interrupts
        interrupts += 1
        t.loop.call_soon_threadsafe(count)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    scheduled = 0
    deadline = time.monotonic() + JOIN_SECONDS
    while interrupts < 20 and time.monotonic() < deadline:
        for _ in range(100):
            t.loop.call_soon_threadsafe(count)
        scheduled += 100
        t.spin()
    signal.setitimer(signal.ITIMER_REAL, 0)
    t.spin(2)
    signal.signal(signal.SIGALRM, before)
    t.true("at least 20 signals came", interrupts >= 20)
    t.equal("calls", called, scheduled + interrupts)


@case("SOON-019.exact", expected="each call once, those of one thread in order")
def many_threads(t: Trial) -> None:
    """Four threads schedule 1000 callbacks each, while the loop runs."""
    loop = t.loop
    seen: list[tuple[int, int]] = []
    ended = 0

    def end() -> None:
        nonlocal ended
        ended += 1
        if ended == 4:
            loop.stop()

    def work(name: int) -> None:
        for number in range(1000):
            loop.call_soon_threadsafe(seen.append, (name, number))
        loop.call_soon_threadsafe(end)

    threads = [t.thread(work, name) for name in range(4)]
    loop.run_forever()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    t.equal("calls", len(seen), 4000)
    for name in range(4):
        own = [number for who, number in seen if who == name]
        t.equal(f"calls of thread {name} are in order", own == list(range(1000)), True)


@case("SOON-020.before", expected="called when the loop runs")
def before_the_run(t: Trial) -> None:
    """Another thread uses call_soon_threadsafe before the loop runs for the first time, and
    between two runs."""
    loop = t.loop
    t.thread(loop.call_soon_threadsafe, t.event, "before").join(JOIN_SECONDS)
    t.spin(2)
    t.thread(loop.call_soon_threadsafe, t.event, "between").join(JOIN_SECONDS)
    t.spin(2)
    t.saw("before", "between")


@case("SOON-020.stop", expected="run_forever() ends: it does not sleep over the callback")
def stop_before_the_run(t: Trial) -> None:
    """Another thread schedules loop.stop() before run_forever() is called."""
    loop = t.loop
    t.thread(loop.call_soon_threadsafe, loop.stop).join(JOIN_SECONDS)
    loop.run_forever()
    t.event("ended")
    t.saw("ended")


@case("SOON-021.waits", expected="start, end, cancel() returns: it waits for the running callback")
def cancel_waits_for_the_callback(t: Trial) -> None:
    """While a callback that was scheduled by call_soon_threadsafe runs, another thread cancels its
    handle."""
    loop = t.loop
    started, cancelling = threading.Event(), threading.Event()

    def callback() -> None:
        t.event("start")
        started.set()
        cancelling.wait(JOIN_SECONDS)
        time.sleep(0.05)  # the other thread is in cancel() now; nobody can see that from outside
        t.event("end")

    handle = loop.call_soon_threadsafe(callback)

    def work() -> None:
        started.wait(JOIN_SECONDS)
        cancelling.set()
        handle.cancel()
        t.event("cancel() returns")

    thread = t.thread(work)
    t.spin(2)
    thread.join(JOIN_SECONDS)
    t.saw("start", "end", "cancel() returns")


@case("SOON-021.race", since="3.14", expected="no call begins after cancel() has returned")
def cancel_races_with_the_call(t: Trial) -> None:
    """A thread schedules callbacks and cancels each at once, while the loop calls them."""
    loop = t.loop
    begun: set[int] = set()
    late: list[int] = []
    cancelled: set[int] = set()

    def callback(number: int) -> None:
        if number in cancelled:
            late.append(number)
        begun.add(number)

    def work() -> None:
        for number in range(1000):
            handle = loop.call_soon_threadsafe(callback, number)
            handle.cancel()
            cancelled.add(number)
        loop.call_soon_threadsafe(loop.stop)

    thread = t.thread(work)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    t.note("called before they were cancelled", len(begun))
    t.equal("called after cancel() had returned", late, [])


@case("SOON-022.full", expected="no call blocks, all callbacks run, and the loop can be woken")
def many_calls_before_the_run(t: Trial) -> None:
    """20 000 calls of call_soon_threadsafe while nobody reads the loop's wake-up channel; then
    the loop is run, sleeps, and is woken once more."""
    loop = t.loop
    called = 0

    def count() -> None:
        nonlocal called
        called += 1

    for _ in range(20_000):
        loop.call_soon_threadsafe(count)
    t.spin(2)
    t.equal("calls", called, 20_000)
    thread = when_asleep(lambda: loop.call_soon_threadsafe(loop.stop))
    loop.run_forever()
    t.event("woken")
    thread.join(JOIN_SECONDS)
    t.saw("woken")
