"""HNDL: the handles that call_soon, call_later and their kin return."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

KINDS = ("call-soon", "call-later", "call-at", "threadsafe")
TIMERS = ("call-later", "call-at")

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Thing:
    """Something that can be referred to weakly."""

    def method(self, *args: object) -> None:
        pass


def schedule(t: Trial, kind: str, callback: Any, *args: object, **options: Any) -> Any:
    """A handle of this kind; timers are due at once."""
    loop = t.loop
    if kind == "call-later":
        return loop.call_later(0, callback, *args, **options)
    if kind == "call-at":
        return loop.call_at(loop.time(), callback, *args, **options)
    if kind == "threadsafe":
        return loop.call_soon_threadsafe(callback, *args, **options)
    return loop.call_soon(callback, *args, **options)


def outcome(function: Callable[[], object]) -> object:
    """What it returns, or the name of the exception that it raises."""
    try:
        return function()
    except Exception as error:
        return type(error).__name__


def run_what_is_due(t: Trial) -> None:
    """Runs until a timer that is set now has run: then everything that was due before has, too."""
    t.loop.call_later(0.001, t.loop.stop)
    t.loop.run_forever()


@case("HNDL-001.cancel", variants=KINDS, expected="cancelled() is False, then True; never called")
def cancel_before_the_run(t: Trial, kind: str) -> None:
    """A handle is cancelled before the loop runs; another one is not."""
    handle = schedule(t, kind, t.event, "cancelled")
    schedule(t, kind, t.event, "kept")
    t.equal("cancelled() before", handle.cancelled(), False)
    t.equal("cancel() returns", handle.cancel(), None)
    t.equal("cancelled() after", handle.cancelled(), True)
    run_what_is_due(t)
    t.saw("kept")


@case("HNDL-001.by-callback", variants=KINDS, expected="the later callback does not run")
def cancel_in_the_same_turn(t: Trial, kind: str) -> None:
    """A callback cancels the handle of a callback that is ready in the same turn."""
    handles: list[Any] = []
    t.loop.call_soon(lambda: handles[0].cancel())
    handles.append(schedule(t, kind, t.event, "cancelled"))
    run_what_is_due(t)
    t.saw()
    t.equal("cancelled()", handles[0].cancelled(), True)


@case("HNDL-001.waiting", expected="neither runs, and the loop does not wait for it")
def cancel_a_timer_that_waits(t: Trial) -> None:
    """A timer is cancelled while the loop runs and waits for it."""
    handle = t.loop.call_later(0.01, t.event, "cancelled")
    t.loop.call_later(0.001, handle.cancel)
    t.loop.call_later(0.02, t.loop.stop)
    t.loop.run_forever()
    t.saw()
    t.equal("cancelled()", handle.cancelled(), True)


@case(
    "HNDL-002.twice", variants=KINDS, expected="the second cancel() is allowed, and changes nothing"
)
def cancel_twice(t: Trial, kind: str) -> None:
    """A handle is cancelled twice before the run, and once more after it."""
    handle = schedule(t, kind, t.event, "cancelled")
    handle.cancel()
    handle.cancel()
    t.equal("cancelled()", handle.cancelled(), True)
    run_what_is_due(t)
    handle.cancel()
    run_what_is_due(t)
    t.saw()


@case("HNDL-002.after-run", variants=KINDS, expected="the callback ran once, and stays run")
def cancel_after_the_run(t: Trial, kind: str) -> None:
    """A handle is cancelled after its callback ran; others that are scheduled then do run."""
    handle = schedule(t, kind, t.event, "ran")
    run_what_is_due(t)
    t.equal("cancelled() after the run", handle.cancelled(), False)
    handle.cancel()
    schedule(t, kind, t.event, "another")
    run_what_is_due(t)
    t.saw("ran", "another")


@case("HNDL-002.inside", variants=KINDS, expected="the callback runs to its end, once")
def cancel_inside_the_callback(t: Trial, kind: str) -> None:
    """A callback cancels its own handle while it runs."""
    handles: list[Any] = []

    def callback() -> None:
        t.event("begin")
        handles[0].cancel()
        t.event("end")

    handles.append(schedule(t, kind, callback))
    run_what_is_due(t)
    t.saw("begin", "end")


@case("HNDL-003.released", variants=KINDS, expected="both are released by cancel()")
def cancel_releases(t: Trial, kind: str) -> None:
    """The callback is a method of an object, and another object is its argument. Nobody else
    refers to them; the handle is cancelled, and kept."""
    bound, argument = Thing(), Thing()
    watched = weakref.ref(bound), weakref.ref(argument)
    handle = schedule(t, kind, bound.method, argument)
    del bound, argument
    t.collect()
    t.true("they are kept before", watched[0]() and watched[1]())
    handle.cancel()
    t.collect()
    t.true("the object whose method it was is released", watched[0]() is None)
    t.true("the argument is released", watched[1]() is None)
    t.equal("cancelled()", handle.cancelled(), True)


@case("HNDL-004.weak", variants=KINDS, expected="a weak reference leads to it, until it is dropped")
def weak_reference(t: Trial, kind: str) -> None:
    """A weak reference to a handle is made; the callback runs; the handle is dropped."""
    handle = schedule(t, kind, t.event, "ran")
    watched: Any = outcome(partial(weakref.ref, handle))
    t.true("a weak reference can be made", isinstance(watched, weakref.ref))
    t.true("it leads to the handle", watched() is handle)
    run_what_is_due(t)
    del handle
    t.collect()
    t.true("after the handle was dropped: it is gone", watched() is None)
    t.saw("ran")


@case("HNDL-005.given", variants=KINDS, expected="the very Context that was given")
def context_that_was_given(t: Trial, kind: str) -> None:
    """A callback is scheduled with context=, and looks at a variable of it."""
    context = contextvars.copy_context()
    context.run(variable.set, "of the context")
    handle = schedule(t, kind, lambda: t.event(variable.get()), context=context)
    t.true("the handle has get_context()", hasattr(handle, "get_context"))
    t.true("get_context() is it", handle.get_context() is context)
    run_what_is_due(t)
    t.saw("of the context")


@case("HNDL-005.captured", variants=KINDS, expected="a copy of the current Context, of that time")
def context_that_was_captured(t: Trial, kind: str) -> None:
    """A callback is scheduled without context=; later the variable gets another value."""

    def main() -> Any:
        variable.set("when scheduled")
        handle = schedule(t, kind, change)
        variable.set("later")
        return handle

    def change() -> None:
        t.event(variable.get())
        variable.set("by the callback")

    handle = contextvars.copy_context().run(main)
    t.true("the handle has get_context()", hasattr(handle, "get_context"))
    context = handle.get_context()
    t.true("it is a Context", isinstance(context, contextvars.Context))
    t.equal("the variable in it", context[variable], "when scheduled")
    run_what_is_due(t)
    t.saw("when scheduled")
    t.equal("what the callback set is in it", context[variable], "by the callback")


@case("HNDL-006.kinds", variants=TIMERS, expected="an asyncio.TimerHandle, which is a Handle")
def timers_are_handles(t: Trial, kind: str) -> None:
    """What call_later and call_at return for a time in an hour is asked for its class."""
    loop = t.loop
    later = loop.call_later(3600, print) if kind == "call-later" else None
    handle = later or loop.call_at(loop.time() + 3600, print)
    t.true("it is an asyncio.TimerHandle", isinstance(handle, asyncio.TimerHandle))
    t.true("it is an asyncio.Handle", isinstance(handle, asyncio.Handle))
    handle.cancel()


@case("HNDL-006.at-once", variants=TIMERS, expected="a TimerHandle, although it is due at once")
def timers_that_are_due(t: Trial, kind: str) -> None:
    """What call_later and call_at return for a time that has come is asked for its class."""
    now = t.loop.time()
    handle = schedule(t, kind, t.event, "ran")
    t.true("it is an asyncio.TimerHandle", isinstance(handle, asyncio.TimerHandle))
    t.true("it has when()", hasattr(handle, "when"))
    t.between("when()", handle.when(), now, t.loop.time())
    run_what_is_due(t)
    t.saw("ran")


@case("HNDL-006.interface", variants=TIMERS, expected="cancel, cancelled, when: when it is due")
def timers_have_the_interface(t: Trial, kind: str) -> None:
    """A timer is asked for what the documentation of Handle and TimerHandle lists."""
    handle: Any
    if kind == "call-at":
        when = t.loop.time() + 3600.25
        handle = t.loop.call_at(when, t.event, "never")
        t.between("when()", handle.when(), when - 0.001, when + 0.001)
        if handle.when() != when:
            t.non_strict("when() is not quite what call_at() was given")
    else:
        before = t.loop.time()
        handle = t.loop.call_later(3600.25, t.event, "never")
        t.between("when()", handle.when(), before + 3600.24, t.loop.time() + 3600.26)
    t.equal("cancelled()", handle.cancelled(), False)
    handle.cancel()
    t.equal("cancelled() after cancel()", handle.cancelled(), True)


@case("HNDL-007.order", expected="by the time at which they are due")
def timers_are_ordered(t: Trial) -> None:
    """Three timers with different deadlines are compared with each other."""
    base = t.loop.time() + 3600
    early, late = t.loop.call_at(base, print), t.loop.call_at(base + 1, print)
    t.equal("early < late", outcome(lambda: early < late), True)
    t.equal("late > early", outcome(lambda: late > early), True)
    t.equal("early <= late", outcome(lambda: early <= late), True)
    t.equal("late >= early", outcome(lambda: late >= early), True)
    t.equal("late < early", late < early, False)
    t.equal("early >= late", early >= late, False)
    t.equal("early == late", early == late, False)
    early.cancel()
    late.cancel()


@case("HNDL-007.equal", expected="equal, with the same hash")
def equal_timers(t: Trial) -> None:
    """Two timers have the same deadline, callback and arguments; a third has another callback."""
    base = t.loop.time() + 3600
    one, two = t.loop.call_at(base, t.event, "x"), t.loop.call_at(base, t.event, "x")
    other = t.loop.call_at(base, print, "x")
    t.equal("one == two", one == two, True)
    t.equal("one != two", one != two, False)
    t.equal("hash(one)", hash(one), hash(two))
    t.true("one <= two and one >= two", one <= two and one >= two)
    t.equal("one < two", one < two, False)
    t.equal("one == other", one == other, False)
    t.equal("one == its deadline", one == base, False)
    for handle in (one, two, other):
        handle.cancel()


@case("HNDL-007.foreign", expected="TypeError")
def timers_and_numbers(t: Trial) -> None:
    """A timer is compared with a number."""
    handle: Any = t.loop.call_later(3600, print)
    with t.raises(TypeError):
        handle < 1.0  # noqa: B015
    handle.cancel()


def named_callback() -> None:
    """Its name is looked for."""


@case("HNDL-008.name", variants=KINDS, expected="the callback's name, and 'cancelled' once it is")
def texts_of_handles(t: Trial, kind: str) -> None:
    """repr() of a handle is looked at, before and after it was cancelled."""
    handle = schedule(t, kind, named_callback)
    text = repr(handle)
    t.true("the name is in it", "named_callback" in text)
    t.equal("'cancelled' is in it", "cancelled" in text, False)
    handle.cancel()
    t.true("'cancelled' is in it after cancel()", "cancelled" in repr(handle))


@case("HNDL-008.debug", expected="the file and the line that scheduled it")
def texts_in_debug_mode(t: Trial) -> None:
    """In debug mode repr() says where the handle was made."""
    t.loop.set_debug(True)
    line = sys._getframe().f_lineno + 1
    handle = t.loop.call_soon(named_callback)
    text = repr(handle)
    t.note("repr", text)
    t.true("the line is in it", f":{line}" in text)
    handle.cancel()


def fail() -> None:
    raise LookupError("ours")


@case("HNDL-009.context", variants=KINDS, expected="a list of frames, the last one in this case")
def traceback_of_the_source(t: Trial, kind: str) -> None:
    """In debug mode a callback raises; the exception handler looks for source_traceback."""
    contexts: list[dict[str, Any]] = []
    t.loop.set_debug(True)
    t.loop.set_exception_handler(lambda loop, context: contexts.append(context))
    schedule(t, kind, fail)
    run_what_is_due(t)
    t.equal("times the exception handler was called", len(contexts), 1)
    frames = contexts[0].get("source_traceback")
    t.true("source_traceback is there", frames)
    names = [frame.name for frame in frames or ()]
    t.true("the function that scheduled it is in it", "schedule" in names)


@case("HNDL-009.not-debug", expected="no source_traceback: it costs too much")
def no_traceback_without_debug(t: Trial) -> None:
    """Without debug mode a callback raises; the exception handler looks for source_traceback."""
    contexts: list[dict[str, Any]] = []
    t.loop.set_exception_handler(lambda loop, context: contexts.append(context))
    t.loop.call_soon(fail)
    t.spin()
    t.equal("times the exception handler was called", len(contexts), 1)
    t.equal("source_traceback is there", "source_traceback" in contexts[0], False)


@case("HNDL-010.after-close", variants=KINDS, expected="recorded: repr, cancelled, cancel, when")
def handles_after_close(t: Trial, kind: str) -> None:
    """A handle is used after its loop was closed: it must not crash the process."""
    ran = schedule(t, kind, t.event, "ran")
    run_what_is_due(t)
    pending = schedule(t, kind, t.event, "never")
    t.loop.close()
    for name, handle in (("ran", ran), ("pending", pending)):
        t.note(f"{name}: repr", repr(handle))
        t.note(f"{name}: cancelled()", handle.cancelled())
        handle.cancel()
        t.note(f"{name}: cancelled() after cancel()", handle.cancelled())
        t.note(f"{name}: when()", outcome(handle.when) if hasattr(handle, "when") else "none")
    t.saw("ran")
