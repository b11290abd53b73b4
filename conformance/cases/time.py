"""TIME: the clock, deadlines, and the order of timers."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

TIMERS = ("later", "at")
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")

#: Resolution of the clock, and the rounding of a float of that size.
RESOLUTION = time.get_clock_info("monotonic").resolution + 1e-6


def timer(
    loop: asyncio.AbstractEventLoop, how: str, delay: float, callback: Any, *args: Any, **kw: Any
) -> asyncio.TimerHandle:
    """A timer by call_later or by call_at."""
    if how == "later":
        return loop.call_later(delay, callback, *args, **kw)
    return loop.call_at(loop.time() + delay, callback, *args, **kw)


def busy(seconds: float) -> None:
    """Keeps the thread from the loop until that much time has passed on the clock."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@case("TIME-001.float", expected="a float each time, never smaller than before")
def clock(t: Trial) -> None:
    """loop.time() is read 1000 times, outside of a run."""
    seen = [t.loop.time() for _ in range(1000)]
    t.equal("types", {type(value).__name__ for value in seen}, {"float"})
    t.equal("in order", seen == sorted(seen), True)


@case("TIME-001.running", expected="never smaller than before, and it goes on")
def clock_while_running(t: Trial) -> None:
    """loop.time() is read before the run, in 100 callbacks, around a timer, and after the run."""
    seen = [t.loop.time()]
    for _ in range(100):
        t.loop.call_soon(lambda: seen.append(t.loop.time()))
    t.run(asyncio.sleep(0.005))
    seen.append(t.loop.time())
    t.equal("in order", seen == sorted(seen), True)
    t.true("it has advanced", seen[-1] > seen[0])


@case("TIME-002.epoch", expected="the value of time.monotonic(), or another epoch: allowed")
def epoch_of_the_clock(t: Trial) -> None:
    """loop.time() is compared with time.monotonic(), and both again 20 ms later."""
    first, before = t.loop.time(), time.monotonic()
    t.run(asyncio.sleep(0.02))
    passed, really = t.loop.time() - first, time.monotonic() - before
    t.note("difference to time.monotonic()", round(first - before, 3))
    if abs(first - before) > 1:
        t.non_strict("another epoch than that of time.monotonic()")
    t.between("time passed, against time.monotonic()", passed - really, -1.0, 0.5)
    t.true("at least the 20 ms, but for the tick of the clock", passed > 0.018)


@case(
    "TIME-003.delays",
    variants=TIMERS,
    expected="no timer fires before its delay is over",
)
def never_early(t: Trial, how: str) -> None:
    """Timers of 0.1 to 20 ms, one after the other, measured with time.monotonic()."""
    early: list[str] = []
    for delay in (0.0001, 0.0004, 0.0006, 0.0009, 0.0011, 0.0015, 0.0049, 0.01, 0.02):
        begin = time.monotonic()
        timer(t.loop, how, delay, t.loop.stop)
        t.loop.run_forever()
        took = time.monotonic() - begin
        if took < delay - RESOLUTION:
            early.append(f"{delay * 1000:g} ms after {took * 1000:.3f} ms")
    t.equal("fired early", early, [])


@case("TIME-003.loop-time", expected="loop.time() in the callback is not before when()")
def never_early_on_its_own_clock(t: Trial) -> None:
    """Fifty timers 0.3 ms apart compare loop.time() with their deadline when they fire."""
    early: list[float] = []

    def fired(when: float) -> None:
        t.event("fired")
        missing = when - t.loop.time()
        if missing > RESOLUTION:
            early.append(missing)

    begin = t.loop.time()
    for number in range(50):
        t.loop.call_at(begin + 0.0003 * number, fired, begin + 0.0003 * number)
    t.until(lambda: len(t.events) == 50, "all timers fire")
    t.equal("seconds too early", early, [])


@case("TIME-003.busy", expected="the delay begins with the call, not with the iteration")
def delay_begins_with_the_call(t: Trial) -> None:
    """A callback computes for 20 ms and then makes a timer of 10 ms."""
    measured: list[float] = []

    def first() -> None:
        busy(0.02)
        begin = time.monotonic()
        t.loop.call_later(0.01, lambda: measured.append(time.monotonic() - begin))

    t.loop.call_soon(first)
    t.until(lambda: measured, "the timer fires")
    t.between("fired after, in seconds", measured[0], 0.01 - RESOLUTION, 1000)


@case("TIME-003.sleep", expected="no sleep is shorter than asked for")
def sleep_is_never_short(t: Trial) -> None:
    """asyncio.sleep() of 0.2 to 5 ms, measured with time.monotonic()."""

    async def main() -> list[str]:
        short = []
        for delay in (0.0002, 0.0005, 0.0013, 0.0027, 0.005):
            begin = time.monotonic()
            await asyncio.sleep(delay)
            if time.monotonic() - begin < delay - RESOLUTION:
                short.append(f"{delay * 1000:g} ms")
        return short

    t.equal("too short", t.run(main()), [])


@case("TIME-004.due", variants=TIMERS, expected="called within three iterations")
def due_at_once(t: Trial, how: str) -> None:
    """Timers with a delay of 0, of less, and of much less than 0."""
    delays = (0, 0.0, -1, -0.5, -1e6)
    for delay in delays:
        timer(t.loop, how, delay, t.event, "called")
    t.equal("called before the run", len(t.events), 0)
    t.spin(3)
    t.equal("called after three iterations", len(t.events), len(delays))


@case("TIME-004.inside", variants=TIMERS, expected="end of callback, called")
def due_at_once_inside(t: Trial, how: str) -> None:
    """A callback makes a timer with a delay of 0 and one of -1."""

    def first() -> None:
        timer(t.loop, how, 0, t.event, "called")
        timer(t.loop, how, -1, t.event, "called")
        t.event("end of callback")

    t.loop.call_soon(first)
    t.spin(4)
    t.saw("end of callback", "called", "called")


@case("TIME-005.kinds", expected="int and float are taken")
def kinds_of_delays(t: Trial) -> None:
    """call_later with an int, a float and a bool as delay."""
    for delay in (0, 0.001, False):
        t.loop.call_later(delay, t.event, type(delay).__name__)
    t.until(lambda: len(t.events) == 3, "all are called")
    t.equal("called", sorted(t.events), ["bool", "float", "int"])


@case("TIME-005.none", expected="TypeError, and no call")
def delay_none(t: Trial) -> None:
    """call_later with None as delay."""
    with t.raises(TypeError):
        t.loop.call_later(None, t.event, "called")  # type: ignore[arg-type]
    t.spin(3)
    t.saw()


@case("TIME-006.reference", expected="fires when loop.time() has reached the deadline")
def absolute_deadline(t: Trial) -> None:
    """call_at with a deadline 10 ms after loop.time()."""
    when = t.loop.time() + 0.01
    times: list[float] = []
    t.loop.call_at(when, lambda: times.append(t.loop.time()))
    t.until(lambda: times, "the timer fires")
    t.between("loop.time() in the callback, minus the deadline", times[0] - when, -RESOLUTION, 5)


@case("TIME-006.past", expected="called, once")
def deadline_in_the_past(t: Trial) -> None:
    """call_at with deadlines that are over."""
    now = t.loop.time()
    t.loop.call_at(now - 10, t.event, "first")
    t.loop.call_at(now - 5, t.event, "second")
    t.spin(4)
    t.saw("first", "second")


@case("TIME-006.none", expected="TypeError, and no call")
def deadline_none(t: Trial) -> None:
    """call_at with None as deadline."""
    with t.raises(TypeError):
        t.loop.call_at(None, t.event, "called")  # type: ignore[arg-type]
    t.spin(3)
    t.saw()


def fire_in_order(t: Trial, count: int, distance: float) -> None:
    """`count` timers in a mixed up order, `distance` seconds apart."""
    fired: list[int] = []
    begin = t.loop.time() + 0.002
    for step in range(count):
        number = step * 37 % count  # every number once, if count is no multiple of 37
        t.loop.call_at(begin + number * distance, fired.append, number)
    t.until(lambda: len(fired) >= count, "all timers fire")
    t.equal("in the order of their deadlines", fired == list(range(count)), True)


@case("TIME-007.apart", expected="they fire in the order of their deadlines")
def order_of_deadlines(t: Trial) -> None:
    """Thirty timers 1.5 ms apart are made in a mixed up order."""
    fire_in_order(t, 30, 0.0015)


@case("TIME-007.close", expected="they fire in the order of their deadlines")
def order_of_close_deadlines(t: Trial) -> None:
    """Two hundred timers 10 microseconds apart are made in a mixed up order."""
    fire_in_order(t, 200, 0.00001)


@case("TIME-007.past", expected="they fire in the order of their deadlines")
def order_of_past_deadlines(t: Trial) -> None:
    """Three timers are due when the loop comes to them; they were made in another order."""
    now = t.loop.time()
    for delay in (0.003, 0.001, 0.002):
        t.loop.call_at(now + delay, t.event, f"{delay:g}")
    t.loop.call_soon(busy, 0.005)
    t.until(lambda: len(t.events) == 3, "all timers fire")
    t.saw("0.001", "0.002", "0.003")


@case("TIME-007.earlier", expected="the shorter one fires, the long one does not hide it")
def earlier_timer_added_later(t: Trial) -> None:
    """While the loop waits for a timer of an hour, a callback makes one of 5 ms."""
    handle = t.loop.call_later(3600, t.event, "an hour")

    def shorter() -> None:
        t.event("5 ms")
        t.loop.stop()

    t.loop.call_later(0.001, lambda: t.loop.call_later(0.005, shorter))
    t.loop.run_forever()
    handle.cancel()
    t.saw("5 ms")


@case("TIME-007.cancelled", expected="the others fire in the order of their deadlines")
def order_among_cancelled(t: Trial) -> None:
    """Of 300 timers in a mixed up order every third one is left, the others are cancelled."""
    fired: list[int] = []
    begin = t.loop.time() + 0.002
    handles = {}
    for step in range(300):
        number = step * 37 % 300
        handles[number] = t.loop.call_at(begin + number * 0.00002, fired.append, number)
    for number, handle in handles.items():
        if number % 3:
            handle.cancel()
    t.until(lambda: len(fired) >= 100, "those that are left fire")
    t.spin(3)
    t.equal("fired", fired == list(range(0, 300, 3)), True)


@case("TIME-007.cancelled-anywhere", expected="the others fire in the order of their deadlines")
def order_among_timers_cancelled_anywhere(t: Trial) -> None:
    """400 timers are made in random order, and 150 of them, in random order, cancelled: a heap has
    to put something in each place that gets free, which may belong further up."""
    chance = random.Random(1)
    fired: list[int] = []
    begin = t.loop.time() + 0.01
    numbers = chance.sample(range(400), 400)
    handles = {
        number: t.loop.call_at(begin + number * 0.00001, fired.append, number) for number in numbers
    }
    cancelled = chance.sample(range(400), 150)
    for number in cancelled:
        handles[number].cancel()
    t.until(lambda: len(fired) >= 250, "those that are left fire")
    t.spin(3)
    t.equal("fired in order", fired == sorted(set(range(400)) - set(cancelled)), True)


@case("TIME-008.ten", expected="each once; the order is recorded")
def equal_deadlines(t: Trial) -> None:
    """Ten timers with the very same deadline."""
    fired: list[int] = []
    when = t.loop.time() + 0.002
    for number in range(10):
        t.loop.call_at(when, fired.append, number)
    t.until(lambda: len(fired) >= 10, "all timers fire")
    t.equal("each once", sorted(fired), list(range(10)))
    t.note("order of ten equal deadlines", fired)


@case("TIME-009.class", variants=TIMERS, expected="an asyncio.TimerHandle")
def class_of_timer_handle(t: Trial, how: str) -> None:
    """What call_later and call_at return is looked at."""
    handle = timer(t.loop, how, 10, t.event, "called")
    t.true("it is an asyncio.TimerHandle", isinstance(handle, asyncio.TimerHandle))
    handle.cancel()


@case("TIME-009.at", expected="the deadline that was given, before and after it fired")
def when_of_call_at(t: Trial) -> None:
    """when() of a handle that call_at returned."""
    when = t.loop.time() + 0.0012345
    handle = t.loop.call_at(when, t.event, "fired")
    t.equal("when()", handle.when(), when)
    t.until(lambda: t.events, "the timer fires")
    t.equal("when() after it fired", handle.when(), when)


@case("TIME-009.later", expected="loop.time() plus the delay")
def when_of_call_later(t: Trial) -> None:
    """when() of a handle that call_later returned, and again after cancel()."""
    before = t.loop.time()
    handle = t.loop.call_later(12.5, t.event, "fired")
    after = t.loop.time()
    t.between("when() minus loop.time()", handle.when() - before, 12.5 - 1e-6, 12.5 + 5)
    t.true("not after the time of return plus the delay", handle.when() <= after + 12.5 + 1e-6)
    when = handle.when()
    handle.cancel()
    t.equal("when() after cancel()", handle.when(), when)


@case("TIME-009.inside", expected="the deadline, while the callback runs")
def when_within_the_callback(t: Trial) -> None:
    """A timer asks its own handle for its deadline when it is called."""
    seen: list[float] = []
    handles: list[asyncio.TimerHandle] = []
    handles.append(t.loop.call_later(0.001, lambda: seen.append(handles[0].when())))
    when = handles[0].when()
    t.loop.set_exception_handler(lambda *_: t.event("when() raises"))
    t.until(lambda: seen or t.events, "the timer fires")
    t.saw()
    t.equal("when() in the callback", seen, [when])


@case("TIME-010.before", variants=TIMERS, expected="no call; cancelled() says so")
def cancelled_before_the_run(t: Trial, how: str) -> None:
    """One of two timers is cancelled before the loop runs, twice."""
    handle = timer(t.loop, how, 0.001, t.event, "cancelled one")
    timer(t.loop, how, 0.003, t.event, "other one")
    handle.cancel()
    handle.cancel()
    t.equal("cancelled()", handle.cancelled(), True)
    t.until(lambda: t.events, "the other timer fires")
    t.spin(2)
    t.saw("other one")


@case("TIME-010.same-batch", expected="the second one is not called, though its time has come")
def cancelled_when_due(t: Trial) -> None:
    """Two timers are due at the same time; the one that is called first cancels the other."""
    handles: list[asyncio.TimerHandle] = []

    def fired(number: int) -> None:
        t.event("fired")
        handles[1 - number].cancel()

    now = t.loop.time()
    handles += [t.loop.call_at(now + 0.001 * i, fired, i) for i in range(2)]
    t.loop.call_soon(busy, 0.004)
    t.until(lambda: t.events, "a timer fires")
    t.spin(3)
    t.saw("fired")


@case("TIME-010.own", expected="no error, and no second call")
def cancelled_by_itself(t: Trial) -> None:
    """A timer cancels its own handle when it is called, and it is cancelled again afterwards."""
    handles: list[asyncio.TimerHandle] = []

    def fired() -> None:
        t.event("fired")
        handles[0].cancel()

    handles.append(t.loop.call_later(0.001, fired))
    t.until(lambda: t.events, "the timer fires")
    handles[0].cancel()
    t.spin(3)
    t.saw("fired")


@case("TIME-010.nearest", expected="the later one fires")
def nearest_is_cancelled(t: Trial) -> None:
    """The loop waits for a timer of 10 ms when it is cancelled; another one of 20 ms is left."""
    now = t.loop.time()
    first = t.loop.call_at(now + 0.01, t.event, "first")
    t.loop.call_at(now + 0.02, t.event, "second")
    t.loop.call_at(now + 0.002, first.cancel)
    t.until(lambda: t.events, "a timer fires")
    t.saw("second")


@case("TIME-014.late", expected="all fire at once, in the order of their deadlines")
def late_timers(t: Trial) -> None:
    """Five timers become due while a callback computes for 10 ms."""
    now = t.loop.time()
    for number in (3, 1, 5, 2, 4):
        t.loop.call_at(now + number * 0.001, t.event, str(number))
    t.loop.call_soon(busy, 0.01)
    t.spin(4)
    t.saw("1", "2", "3", "4", "5")


@case("TIME-017.given", variants=TIMERS, expected="the callback runs in the given context")
def context_of_timers(t: Trial, how: str) -> None:
    """A timer is given a context; its callback reads a variable and sets it."""
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "given")

    def fired() -> None:
        t.event(VARIABLE.get())
        VARIABLE.set("changed")

    timer(t.loop, how, 0.001, fired, context=context)
    VARIABLE.set("current")
    t.until(lambda: t.events, "the timer fires")
    t.saw("given")
    t.equal("in the context afterwards", context[VARIABLE], "changed")
    t.equal("outside", VARIABLE.get(), "current")


@case("TIME-017.copied", variants=TIMERS, expected="the value when the timer was made")
def context_of_timers_is_captured(t: Trial, how: str) -> None:
    """A timer is made without a context, and a context variable changed before it fires; the
    callback reads the variable."""
    VARIABLE.set("scheduled")
    timer(t.loop, how, 0.001, lambda: t.event(VARIABLE.get()))
    VARIABLE.set("later")
    t.until(lambda: t.events, "the timer fires")
    t.saw("scheduled")
