"""SOON: the order and number of calls, arguments, contexts, what is kept of a callback."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import weakref
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.scheduling import ALL, SOON, schedule
from loopgauge.conformance.trial import Trial

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Thing:
    """Something that can be weakly referred to."""


@case("SOON-001.three", expected="a, b, c: the order of the calls")
def order_of_calls(t: Trial) -> None:
    """Three callbacks are scheduled one after the other, before the loop runs."""
    for name in "abc":
        t.loop.call_soon(t.event, name)
    t.spin()
    t.saw("a", "b", "c")


@case("SOON-001.threadsafe", expected="a, b, c: the order of the calls")
def order_of_threadsafe_calls(t: Trial) -> None:
    """Three callbacks are scheduled with call_soon_threadsafe, before the loop runs."""
    for name in "abc":
        t.loop.call_soon_threadsafe(t.event, name)
    t.spin()
    t.saw("a", "b", "c")


@case("SOON-001.nested", expected="those that were there first come first: a, b, then a's own")
def order_of_nested_calls(t: Trial) -> None:
    """The first of two callbacks schedules two more."""

    def first() -> None:
        t.event("a")
        t.loop.call_soon(t.event, "a's first")
        t.loop.call_soon(t.event, "a's second")

    t.loop.call_soon(first)
    t.loop.call_soon(t.event, "b")
    t.spin(2)
    t.saw("a", "b", "a's first", "a's second")


@case("SOON-001.many", expected="all numbers in order, also across many iterations")
def order_of_many(t: Trial) -> None:
    """Two thousand callbacks, half of which schedule another one behind all others."""
    seen: list[int] = []

    def call(number: int) -> None:
        seen.append(number)
        if number < 1000:
            t.loop.call_soon(call, number + 2000)

    for number in range(2000):
        t.loop.call_soon(call, number)
    t.spin(2)
    t.equal("the numbers are in order", seen == list(range(3000)), True)


@case("SOON-002.once", variants=ALL, expected="one call, however long the loop goes on")
def called_once(t: Trial, how: str) -> None:
    """One callback is scheduled; the loop runs, stops, and runs again."""
    schedule(t.loop, how, t.event, "called")
    t.until(lambda: t.events, "the callback is called")
    t.spin(3)
    t.saw("called")


@case("SOON-002.twice", variants=ALL, expected="two calls: each scheduling counts")
def scheduled_twice(t: Trial, how: str) -> None:
    """The same callback is scheduled twice, with the same argument."""
    for _ in range(2):
        schedule(t.loop, how, t.event, "called")
    t.until(lambda: len(t.events) > 1, "the callback is called twice")
    t.spin(3)
    t.saw("called", "called")


@case("SOON-003.before", variants=ALL, expected="nothing is called before the loop runs")
def not_called_before_the_run(t: Trial, how: str) -> None:
    """A callback is scheduled on a loop that does not run yet."""
    schedule(t.loop, how, t.event, "called")
    t.equal("calls before the loop runs", len(t.events), 0)
    t.until(lambda: t.events, "the callback is called")


@case("SOON-003.running", variants=ALL, expected="scheduled, end of callback, called")
def not_called_inside(t: Trial, how: str) -> None:
    """A running callback schedules another one."""

    def first() -> None:
        schedule(t.loop, how, t.event, "called")
        t.event("end of callback")

    t.loop.call_soon(first)
    t.until(lambda: "called" in t.events, "the callback is called")
    t.saw("end of callback", "called")


@case("SOON-004.next-run", expected="the new callback is called in the next run, not before")
def scheduled_while_stopping(t: Trial) -> None:
    """A callback schedules another one and stops the loop; then the loop is run again."""

    def first() -> None:
        t.loop.call_soon(t.event, "new")
        t.loop.stop()

    t.loop.call_soon(first)
    t.loop.run_forever()
    t.equal("calls in the first run", len(t.events), 0)
    t.spin()
    t.saw("new")


@case("SOON-004.reader", expected="the reader is called after a bounded number of iterations")
def callbacks_do_not_starve_readers(t: Trial) -> None:
    """A callback schedules itself for ever, while a socket with data has a reader."""
    ours, peer = socket.socketpair()
    peer.send(b"x")
    turns = 0

    def again() -> None:
        nonlocal turns
        turns += 1
        if turns > 20_000:
            t.loop.stop()
        t.loop.call_soon(again)

    t.loop.add_reader(ours.fileno(), t.loop.stop)
    t.loop.call_soon(again)
    t.loop.run_forever()
    t.loop.remove_reader(ours.fileno())
    ours.close()
    peer.close()
    t.note("iterations before the reader was called", turns)
    t.between("iterations before the reader was called", turns, 0, 20_000)


@case("SOON-004.timer", expected="the timer fires")
def callbacks_do_not_starve_timers(t: Trial) -> None:
    """A callback schedules itself until a timer of 1 ms has fired; it gives up after 5 s."""
    begin = t.loop.time()

    def again() -> None:
        if not t.events and t.loop.time() < begin + 5:
            t.loop.call_soon(again)
        else:
            t.loop.stop()

    t.loop.call_later(0.001, t.event, "timer")
    t.loop.call_soon(again)
    t.loop.run_forever()
    t.saw("timer")


@case("SOON-005.arguments", variants=ALL, expected="the arguments come as they were given")
def arguments(t: Trial, how: str) -> None:
    """Callbacks with no argument, and with one to six of them."""
    seen: list[tuple[Any, ...]] = []
    values = (1, None, "three", [4], (5,), {6: 6})
    for count in range(7):
        schedule(t.loop, how, lambda *args: seen.append(args), *values[:count])
    t.until(lambda: len(seen) >= 7, "all callbacks are called")
    t.equal("arguments", sorted(seen, key=len), [values[:count] for count in range(7)])
    t.true("an argument is the very object", max(seen, key=len)[3] is values[3])


@case("SOON-005.keywords", variants=ALL, expected="TypeError at once, and no call")
def keyword_arguments(t: Trial, how: str) -> None:
    """A keyword argument for the callback is given to the scheduling method."""
    with t.raises(TypeError):
        schedule(t.loop, how, t.event, "called", text="x")
    t.spin(3)
    t.saw()


@case("SOON-006.class", variants=SOON, expected="an asyncio.Handle")
def class_of_handle(t: Trial, how: str) -> None:
    """What the scheduling method returns is looked at."""
    handle = schedule(t.loop, how, t.event, "called")
    t.true("it is an asyncio.Handle", isinstance(handle, asyncio.Handle))
    t.spin()


@case("SOON-006.interface", variants=SOON, expected="cancelled() follows cancel(), no call")
def interface_of_handle(t: Trial, how: str) -> None:
    """The returned object is cancelled before the loop runs."""
    handle = schedule(t.loop, how, t.event, "called")
    t.equal("cancelled() before", handle.cancelled(), False)
    handle.cancel()
    t.equal("cancelled() after", handle.cancelled(), True)
    t.spin(2)
    t.saw()


@case("SOON-007.given", variants=SOON, expected="the callback runs in the given context")
def given_context(t: Trial, how: str) -> None:
    """A callback is scheduled with a context in which a variable has another value."""
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "given")
    schedule(t.loop, how, lambda: t.event(VARIABLE.get()), context=context)
    VARIABLE.set("current")
    t.spin()
    t.saw("given")


@case("SOON-007.inside", variants=SOON, expected="the given context, not that of the caller")
def given_context_inside(t: Trial, how: str) -> None:
    """As above, but the callback is scheduled by a callback that runs in yet another context."""
    context = contextvars.Context()
    context.run(VARIABLE.set, "given")

    def first() -> None:
        VARIABLE.set("caller")
        schedule(t.loop, how, lambda: t.event(VARIABLE.get()), context=context)

    t.loop.call_soon(first)
    t.spin(2)
    t.saw("given")


@case("SOON-008.copied", variants=SOON, expected="the value at the time of scheduling")
def context_is_captured(t: Trial, how: str) -> None:
    """A variable is changed between scheduling and call."""
    VARIABLE.set("scheduled")
    schedule(t.loop, how, lambda: t.event(VARIABLE.get()))
    VARIABLE.set("later")
    t.spin()
    t.saw("scheduled")


@case("SOON-008.inside", variants=SOON, expected="the value that the scheduling callback saw")
def context_is_inherited(t: Trial, how: str) -> None:
    """A callback sets a variable, schedules another callback, and sets the variable again."""

    def first() -> None:
        VARIABLE.set("scheduled")
        schedule(t.loop, how, lambda: t.event(VARIABLE.get()))
        VARIABLE.set("later")

    t.loop.call_soon(first)
    t.spin(2)
    t.saw("scheduled")


@case("SOON-008.none", variants=SOON, expected="context=None is as if it were not given")
def context_none(t: Trial, how: str) -> None:
    """The context is given as None."""
    VARIABLE.set("scheduled")
    schedule(t.loop, how, lambda: t.event(VARIABLE.get()), context=None)
    VARIABLE.set("later")
    t.spin()
    t.saw("scheduled")


@case("SOON-009.same", variants=SOON, expected="first's value is seen by second, in the context")
def changes_stay_in_the_context(t: Trial, how: str) -> None:
    """Two callbacks are given the same context; the first sets a variable."""
    context = contextvars.copy_context()
    schedule(t.loop, how, lambda: VARIABLE.set("first's"), context=context)
    schedule(t.loop, how, lambda: t.event(VARIABLE.get()), context=context)
    t.spin()
    t.saw("first's")
    t.equal("in the context afterwards", context[VARIABLE], "first's")
    t.equal("outside", VARIABLE.get(), "unset")


@case("SOON-009.others", variants=SOON, expected="other callbacks do not see the change")
def changes_are_not_seen_elsewhere(t: Trial, how: str) -> None:
    """A callback sets a variable; another one, scheduled at the same time, reads it."""
    schedule(t.loop, how, lambda: VARIABLE.set("first's"))
    schedule(t.loop, how, lambda: t.event(VARIABLE.get()))
    t.spin()
    t.saw("unset")
    t.equal("outside", VARIABLE.get(), "unset")


@case("SOON-014.argument", variants=ALL, expected="callback and argument are freed after the call")
def argument_is_released(t: Trial, how: str) -> None:
    """A callback and its argument, to which only the loop refers, are looked at after the call."""
    thing, method = Thing(), Thing()

    def callback(_thing: Thing, _kept: Thing = method) -> None:
        t.event("called")

    alive = [weakref.ref(thing), weakref.ref(method)]
    schedule(t.loop, how, callback, thing)
    del thing, method, callback
    t.until(lambda: t.events, "the callback is called")
    t.equal("still alive", [ref() is not None for ref in alive], [False, False])


@case("SOON-014.at-once", expected="freed before the next callback runs")
def argument_is_released_at_once(t: Trial) -> None:
    """The callback after the next one looks whether the first one's argument is still there."""
    thing = Thing()
    alive = weakref.ref(thing)
    t.loop.call_soon(lambda _: t.event("first"), thing)
    t.loop.call_soon(t.event, "second")
    t.loop.call_soon(lambda: t.event("alive" if alive() else "freed"))
    del thing
    t.spin()
    t.saw("first", "second", "freed")


@case("SOON-014.raising", expected="freed, though the callback raised")
def argument_of_a_failing_callback(t: Trial) -> None:
    """A callback raises; afterwards its argument is looked for."""
    thing = Thing()
    alive = weakref.ref(thing)

    def fails(_thing: Thing) -> None:
        raise ValueError("meant")

    t.loop.set_exception_handler(lambda *_: t.event("reported"))
    t.loop.call_soon(fails, thing)
    del thing
    t.spin(2)
    t.collect()
    t.saw("reported")
    t.equal("the argument is alive", alive() is not None, False)
