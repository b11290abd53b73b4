"""LIFE: which loop is running, and what is left of a run that an exception ended."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

#: The two exceptions that are meant to end a program; no exception handler is asked about them.
INTERRUPTS: dict[str, type[BaseException]] = {
    "system-exit": SystemExit,
    "keyboard-interrupt": KeyboardInterrupt,
}


def interrupt(kind: str) -> tuple[BaseException, Callable[[], None]]:
    """An exception, and a callback that raises it."""
    wanted = INTERRUPTS[kind]("ours")

    def callback() -> None:
        raise wanted

    return wanted, callback


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@case("LIFE-013.states", expected="False, True in a callback, False")
def is_running_around_a_run(t: Trial) -> None:
    """is_running() is asked before a run, in a callback, and after the run."""
    t.equal("before the run", t.loop.is_running(), False)
    seen: list[bool] = []
    t.loop.call_soon(lambda: seen.append(t.loop.is_running()))
    t.equal("with a callback scheduled", t.loop.is_running(), False)
    t.spin()
    t.equal("in the callback", seen, [True])
    t.equal("after the run", t.loop.is_running(), False)


@case("LIFE-013.coroutine", expected="True inside, False afterwards")
def is_running_in_a_coroutine(t: Trial) -> None:
    """is_running() is asked in a coroutine, before and after it was suspended."""

    async def main() -> list[bool]:
        first = t.loop.is_running()
        await asyncio.sleep(0)
        return [first, t.loop.is_running()]

    t.equal("in the coroutine", t.loop.run_until_complete(main()), [True, True])
    t.equal("after the run", t.loop.is_running(), False)


@case("LIFE-013.exception", expected="False after the coroutine's exception came out")
def is_running_after_an_exception(t: Trial) -> None:
    """A coroutine raises out of run_until_complete."""

    async def main() -> None:
        raise LookupError

    with t.raises(LookupError):
        t.loop.run_until_complete(main())
    t.equal("is_running()", t.loop.is_running(), False)


@case("LIFE-013.thread", expected="True while it runs, asked in another thread; then False")
def is_running_seen_by_another_thread(t: Trial) -> None:
    """Another thread asks is_running() of a loop that the main thread runs."""
    seen: list[bool] = []

    def ask() -> None:
        seen.append(t.loop.is_running())
        t.loop.call_soon_threadsafe(t.loop.stop)

    threads: list[threading.Thread] = []
    t.loop.call_soon(lambda: threads.append(t.thread(ask)))
    t.loop.run_forever()
    threads[0].join()
    t.equal("in the thread", seen, [True])
    t.equal("after the run", t.loop.is_running(), False)


@case("LIFE-013.closed", expected="False, on a closed loop too")
def is_running_of_a_closed_loop(t: Trial) -> None:
    """is_running() is asked after close()."""
    loop = t.loop
    loop.close()
    t.equal("is_running()", loop.is_running(), False)


@case(
    "LIFE-014.inside",
    variants=("coroutine", "call-soon", "timer", "threadsafe", "done-callback", "reader"),
    expected="the loop that runs it",
)
def running_loop_inside(t: Trial, kind: str) -> None:
    """get_running_loop() is called in a coroutine, in callbacks of call_soon, of a timer, of
    call_soon_threadsafe, of a future, and of a descriptor."""
    seen: list[object] = []
    ours, peer = socket.socketpair()

    def look(*_: object) -> None:
        seen.append(running_loop())
        t.loop.stop()
        if kind == "reader":
            t.loop.remove_reader(ours.fileno())

    async def main() -> None:
        look()

    with ours, peer:
        if kind == "coroutine":
            t.loop.create_task(main())
        elif kind == "call-soon":
            t.loop.call_soon(look)
        elif kind == "timer":
            t.loop.call_later(0, look)
        elif kind == "threadsafe":
            t.loop.call_soon_threadsafe(look)
        elif kind == "done-callback":
            future = t.loop.create_future()
            future.add_done_callback(look)
            future.set_result(None)
        else:
            peer.send(b"x")
            t.loop.add_reader(ours.fileno(), look)
        t.loop.run_forever()
    t.spin()
    t.true("it is the loop", seen and seen[0] is t.loop)
    t.equal("times it was called", len(seen), 1)


@case("LIFE-014.outside", expected="RuntimeError, before, between and after runs")
def running_loop_outside(t: Trial) -> None:
    """get_running_loop() is called before a run, between two, and after close()."""

    async def nothing() -> None:
        pass

    for when in ("before", "between", "after"):
        with t.raises(RuntimeError, what=f"get_running_loop() {when}"):
            asyncio.get_running_loop()
        if when != "after":
            t.loop.run_until_complete(nothing())
    t.loop.close()
    with t.raises(RuntimeError, what="get_running_loop() after close()"):
        asyncio.get_running_loop()


@case("LIFE-014.thread", expected="RuntimeError in the other thread, the loop in its own")
def running_loop_of_a_thread(t: Trial) -> None:
    """While a loop runs, another thread calls get_running_loop(), and so does then a callback of
    the loop."""
    seen: list[object] = []

    def ask_in_loop() -> None:
        seen.append(running_loop())
        t.loop.stop()

    def ask() -> None:
        seen.append(running_loop())
        t.loop.call_soon_threadsafe(ask_in_loop)

    threads: list[threading.Thread] = []
    t.loop.call_soon(lambda: threads.append(t.thread(ask)))
    t.loop.run_forever()
    threads[0].join()
    t.equal("the running loop of the other thread", seen[0], None)
    t.true("the running loop of the callback is the loop", seen[1] is t.loop)


@case("LIFE-015.forever", variants=tuple(INTERRUPTS), expected="no loop is running afterwards")
def state_after_run_forever(t: Trial, kind: str) -> None:
    """A callback raises SystemExit or KeyboardInterrupt out of run_forever; then another loop is
    run in the same thread."""
    _, callback = interrupt(kind)
    t.loop.call_soon(callback)
    with t.raises(INTERRUPTS[kind]):
        t.loop.run_forever()
    t.equal("is_running()", t.loop.is_running(), False)
    t.equal("the running loop", running_loop(), None)
    other = t.factory()
    other.call_soon(t.event, "on another loop")
    other.call_soon(other.stop)
    other.run_forever()
    t.saw("on another loop")


@case(
    "LIFE-015.until-complete", variants=tuple(INTERRUPTS), expected="no loop is running afterwards"
)
def state_after_run_until_complete(t: Trial, kind: str) -> None:
    """A coroutine raises SystemExit or KeyboardInterrupt out of run_until_complete."""

    async def main() -> None:
        raise INTERRUPTS[kind]

    with t.raises(INTERRUPTS[kind]):
        t.loop.run_until_complete(main())
    t.equal("is_running()", t.loop.is_running(), False)
    t.equal("the running loop", running_loop(), None)
    t.loop.close()
    t.equal("is_closed() after close()", t.loop.is_closed(), True)


@case("LIFE-016.call-soon", variants=tuple(INTERRUPTS), expected="it comes out of run_forever")
def raised_by_a_callback(t: Trial, kind: str) -> None:
    """A callback of call_soon raises SystemExit or KeyboardInterrupt in run_forever. No exception
    handler is asked."""
    wanted, callback = interrupt(kind)
    t.loop.set_exception_handler(lambda loop, context: t.event("exception handler"))
    t.loop.call_soon(callback)
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_forever()
    t.true("it is the very exception that was raised", caught[0] is wanted)
    t.saw()


@case("LIFE-016.timer", variants=tuple(INTERRUPTS), expected="it comes out of run_until_complete")
def raised_by_a_timer(t: Trial, kind: str) -> None:
    """A timer raises SystemExit or KeyboardInterrupt while run_until_complete waits."""
    wanted, callback = interrupt(kind)
    t.loop.set_exception_handler(lambda loop, context: t.event("exception handler"))
    t.loop.call_later(0.001, callback)
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_until_complete(t.loop.create_future())
    t.true("it is the very exception that was raised", caught[0] is wanted)
    t.saw()


@case("LIFE-016.threadsafe", variants=tuple(INTERRUPTS), expected="it comes out of run_forever")
def raised_by_a_threadsafe_callback(t: Trial, kind: str) -> None:
    """A callback of call_soon_threadsafe raises SystemExit or KeyboardInterrupt."""
    wanted, callback = interrupt(kind)
    thread = t.thread(t.loop.call_soon_threadsafe, callback)
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_forever()
    thread.join()
    t.true("it is the very exception that was raised", caught[0] is wanted)


@case("LIFE-016.reader", variants=tuple(INTERRUPTS), expected="it comes out of run_forever")
def raised_by_a_reader(t: Trial, kind: str) -> None:
    """The callback of a readable descriptor raises SystemExit or KeyboardInterrupt."""
    wanted, callback = interrupt(kind)
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.send(b"x")
        t.loop.add_reader(ours.fileno(), callback)
        with t.raises(INTERRUPTS[kind]) as caught:
            t.loop.run_forever()
        t.loop.remove_reader(ours.fileno())
    t.true("it is the very exception that was raised", caught[0] is wanted)


@case("LIFE-016.done-callback", variants=tuple(INTERRUPTS), expected="it comes out of run_forever")
def raised_by_a_done_callback(t: Trial, kind: str) -> None:
    """The done callback of a future raises SystemExit or KeyboardInterrupt."""
    wanted, callback = interrupt(kind)
    future = t.loop.create_future()
    future.add_done_callback(lambda _: callback())
    future.set_result(None)
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_forever()
    t.true("it is the very exception that was raised", caught[0] is wanted)


@case(
    "LIFE-017.main",
    variants=tuple(INTERRUPTS),
    expected="it comes out of run_until_complete, and is the task's exception",
)
def raised_by_the_task_that_is_run(t: Trial, kind: str) -> None:
    """run_until_complete is given a task, which raises SystemExit or KeyboardInterrupt."""
    wanted = INTERRUPTS[kind]("ours")

    async def main() -> None:
        await asyncio.sleep(0)
        raise wanted

    task = t.loop.create_task(main())
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_until_complete(task)
    t.true("it is the very exception that was raised", caught[0] is wanted)
    t.true("the task is done", task.done())
    t.true("it is the task's exception, too", task.exception() is wanted)


@case(
    "LIFE-017.background",
    variants=tuple(INTERRUPTS),
    expected="it comes out of run_until_complete, and is the exception of the other task",
)
def raised_by_another_task(t: Trial, kind: str) -> None:
    """While run_until_complete waits for a future, a task raises SystemExit or
    KeyboardInterrupt."""
    wanted = INTERRUPTS[kind]("ours")

    async def background() -> None:
        raise wanted

    task = t.loop.create_task(background())
    future = t.loop.create_future()
    with t.raises(INTERRUPTS[kind]) as caught:
        t.loop.run_until_complete(future)
    t.true("it is the very exception that was raised", caught[0] is wanted)
    t.true("it is the task's exception, too", task.done() and task.exception() is wanted)
    t.equal("the future is done", future.done(), False)


@case("LIFE-018.next-run", expected="the next run runs as long as it needs")
def run_after_a_base_exception(t: Trial) -> None:
    """A coroutine raises KeyboardInterrupt out of run_until_complete. The next run_forever needs
    two turns."""

    async def main() -> None:
        raise KeyboardInterrupt

    with t.raises(KeyboardInterrupt):
        t.loop.run_until_complete(main())

    def first() -> None:
        t.event("first turn")
        t.loop.call_soon(second)

    def second() -> None:
        t.event("second turn")
        t.loop.call_soon(third)

    def third() -> None:
        t.event("third turn")
        t.loop.stop()

    t.loop.call_soon(first)
    t.loop.run_forever()
    t.saw("first turn", "second turn", "third turn")


@case("LIFE-018.batch", expected="the callback behind it is not lost, and runs once")
def callbacks_behind_a_base_exception(t: Trial) -> None:
    """Of three callbacks the second raises KeyboardInterrupt; the loop is run again."""
    _, callback = interrupt("keyboard-interrupt")
    t.loop.call_soon(t.event, "before")
    t.loop.call_soon(callback)
    t.loop.call_soon(t.event, "behind")
    with t.raises(KeyboardInterrupt):
        t.loop.run_forever()
    if t.events != ["before"]:
        t.non_strict("callbacks behind the one that raised run before the exception comes out")
    t.spin(2)
    t.saw("before", "behind")


@case("LIFE-018.task", expected="the other task is completed by the next run")
def tasks_beside_a_base_exception(t: Trial) -> None:
    """One task raises SystemExit while another sleeps; the other is completed afterwards."""

    async def leave() -> None:
        raise SystemExit

    async def other() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return "unharmed"

    task = t.loop.create_task(other())
    with t.raises(SystemExit):
        t.loop.run_until_complete(leave())
    t.equal("the result of the other task", t.loop.run_until_complete(task), "unharmed")
