"""LIFE: stop, and what a stopped loop still knows when it is run again."""

from __future__ import annotations

import os
import signal
import socket
import threading

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


@case("LIFE-009.ready", expected="the callback runs, and run_forever returns")
def stop_before_the_run(t: Trial) -> None:
    """stop() is called before run_forever; one callback is already scheduled."""
    t.loop.call_soon(t.event, "scheduled before")
    t.loop.stop()
    t.loop.run_forever()
    t.saw("scheduled before")
    t.equal("is_running() afterwards", t.loop.is_running(), False)


@case("LIFE-009.empty", expected="run_forever returns, although a timer is far away")
def stop_before_the_run_with_nothing_to_do(t: Trial) -> None:
    """stop() is called before run_forever; nothing is scheduled but a timer in an hour."""
    timer = t.loop.call_later(3600, t.event, "an hour later")
    t.loop.stop()
    t.loop.run_forever()
    timer.cancel()
    t.saw()


@case("LIFE-009.next", expected="only the first; the second runs in the next run")
def stop_before_the_run_is_one_turn(t: Trial) -> None:
    """stop() is called before run_forever, where a callback schedules another."""
    t.loop.call_soon(t.loop.call_soon, t.event, "scheduled by a callback")
    t.loop.stop()
    t.loop.run_forever()
    t.saw()
    t.spin()
    t.saw("scheduled by a callback")


@case("LIFE-009.once", expected="the second run_forever goes on until its own stop")
def stop_before_the_run_stops_one_run(t: Trial) -> None:
    """stop() is called before run_forever. The next run_forever needs three turns."""
    t.loop.stop()
    t.loop.run_forever()

    def go_on(turns: int) -> None:
        t.event(f"{turns} turns to go")
        if turns:
            t.loop.call_soon(go_on, turns - 1)
        else:
            t.loop.stop()

    t.loop.call_soon(go_on, 2)
    t.loop.run_forever()
    t.saw("2 turns to go", "1 turns to go", "0 turns to go")


@case("LIFE-009.poll", expected="the reader's callback runs: input was looked for once")
def stop_before_the_run_polls(t: Trial) -> None:
    """stop() is called before run_forever, while a socket that is watched has data to read."""
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.send(b"x")
        t.loop.add_reader(ours.fileno(), t.event, "readable")
        t.loop.stop()
        t.loop.run_forever()
        t.loop.remove_reader(ours.fileno())
    t.saw("readable")


@case("LIFE-010.batch", expected="a, stop, b; what a scheduled runs in the next run")
def stop_during_the_run(t: Trial) -> None:
    """Three callbacks are scheduled: a, which schedules another; one that stops; b."""

    def a() -> None:
        t.event("a")
        t.loop.call_soon(t.event, "scheduled by a")

    def stop() -> None:
        t.event("stop")
        t.loop.stop()

    t.loop.call_soon(a)
    t.loop.call_soon(stop)
    t.loop.call_soon(t.event, "b")
    t.loop.run_forever()
    t.saw("a", "stop", "b")
    t.spin()
    t.saw("a", "stop", "b", "scheduled by a")


@case("LIFE-010.after-stop", expected="first run: stop; second run: scheduled after the stop")
def scheduled_after_the_stop(t: Trial) -> None:
    """A callback stops the loop and then schedules another callback."""

    def stop() -> None:
        t.event("stop")
        t.loop.stop()
        t.loop.call_soon(t.event, "scheduled after the stop")

    t.loop.call_soon(stop)
    t.loop.run_forever()
    t.saw("stop")
    t.spin()
    t.saw("stop", "scheduled after the stop")


@case("LIFE-010.threadsafe", expected="first run: stop; second run: scheduled after the stop")
def scheduled_threadsafe_after_the_stop(t: Trial) -> None:
    """A callback stops the loop and then schedules another with call_soon_threadsafe."""

    def stop() -> None:
        t.event("stop")
        t.loop.stop()
        t.loop.call_soon_threadsafe(t.event, "scheduled after the stop")

    t.loop.call_soon(stop)
    t.loop.run_forever()
    t.saw("stop")
    t.spin()
    t.saw("stop", "scheduled after the stop")


@case("LIFE-010.timer", expected="what the timer scheduled runs in the next run")
def stop_by_a_timer(t: Trial) -> None:
    """A timer schedules two callbacks and stops the loop."""

    def timer() -> None:
        t.event("timer")
        t.loop.call_soon(t.event, "scheduled by it")
        t.loop.call_soon(t.event, "another")
        t.loop.stop()

    t.loop.call_later(0, timer)
    t.loop.run_forever()
    t.saw("timer")
    t.spin()
    t.saw("timer", "scheduled by it", "another")


@case("LIFE-011.callback", expected="it runs once, in the second run")
def callbacks_survive(t: Trial) -> None:
    """A callback is scheduled between two runs; the loop is run three times."""
    t.spin()
    t.loop.call_soon(t.event, "scheduled between the runs")
    t.saw()
    t.spin()
    t.spin()
    t.saw("scheduled between the runs")


@case("LIFE-011.timer", expected="the timer runs once, in a later run")
def timers_survive(t: Trial) -> None:
    """A timer is set, the loop is stopped before it is due, and run again."""
    t.loop.call_later(0.02, t.event, "timer")
    t.loop.stop()
    t.loop.run_forever()
    t.loop.call_later(0.04, t.loop.stop)
    t.loop.run_forever()
    t.saw("timer")


@case("LIFE-011.task", expected="before the stop, after the stop: the task was not harmed")
def tasks_survive(t: Trial) -> None:
    """A task stops its loop in the middle, and is completed by run_until_complete."""
    gate = t.loop.create_future()

    async def main() -> str:
        t.event("before the stop")
        t.loop.stop()
        await gate
        t.event("after the stop")
        return "result"

    task = t.loop.create_task(main())
    t.loop.run_forever()
    t.saw("before the stop")
    gate.set_result(None)
    t.equal("the result", t.loop.run_until_complete(task), "result")
    t.saw("before the stop", "after the stop")


@case("LIFE-011.reader", expected="the descriptor is still watched in the second run")
def readers_survive(t: Trial) -> None:
    """A socket is watched, the loop is stopped, data comes, and the loop is run again."""
    ours, peer = socket.socketpair()
    with ours, peer:

        def readable() -> None:
            t.event("readable")
            t.loop.remove_reader(ours.fileno())
            t.loop.stop()

        t.loop.add_reader(ours.fileno(), readable)
        t.spin()
        t.saw()
        peer.send(b"x")
        t.loop.run_forever()
    t.saw("readable")


@case("LIFE-012.twice-before", expected="one turn; the second run ends by its own stop only")
def stop_twice_before(t: Trial) -> None:
    """stop() is called twice before run_forever, which is then run a second time."""
    t.loop.stop()
    t.loop.stop()
    t.loop.run_forever()

    def first() -> None:
        t.event("first turn")
        t.loop.call_soon(second)

    def second() -> None:
        t.event("second turn")
        t.loop.stop()

    t.loop.call_soon(first)
    t.loop.run_forever()
    t.saw("first turn", "second turn")


@case("LIFE-012.twice-during", expected="one turn; the second run ends by its own stop only")
def stop_twice_during(t: Trial) -> None:
    """Two callbacks of one turn call stop(). The next run needs two turns."""
    t.loop.call_soon(t.loop.stop)
    t.loop.call_soon(t.loop.stop)
    t.loop.run_forever()

    def first() -> None:
        t.event("first turn")
        t.loop.call_soon(second)

    def second() -> None:
        t.event("second turn")
        t.loop.stop()

    t.loop.call_soon(first)
    t.loop.run_forever()
    t.saw("first turn", "second turn")


@case("LIFE-012.returns", expected="None")
def stop_returns_nothing(t: Trial) -> None:
    """stop() is called on a loop that is not running; its value is looked at."""
    t.equal("stop()", t.loop.stop(), None)
    t.loop.run_forever()
    t.equal("is_running() after the run", t.loop.is_running(), False)


@case("LIFE-012.signal", expected="the loop stops, though it was waiting with nothing to do")
def stop_by_a_signal(t: Trial) -> None:
    """loop.stop is the handler of SIGUSR1, which a thread sends while the loop waits."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.loop.stop)
    waiting = threading.Event()

    def send() -> None:
        waiting.wait(5)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = t.thread(send)
    t.loop.call_soon(waiting.set)
    t.loop.run_forever()
    thread.join()
    t.equal("is_running() afterwards", t.loop.is_running(), False)
    t.loop.remove_signal_handler(signal.SIGUSR1)


@case("LIFE-012.thread", expected="the loop stops, though it was waiting with nothing to do")
def stop_by_another_thread(t: Trial) -> None:
    """Another thread calls call_soon_threadsafe(loop.stop) while the loop waits."""
    waiting = threading.Event()

    def send() -> None:
        waiting.wait(5)
        t.loop.call_soon_threadsafe(t.loop.stop)

    thread = t.thread(send)
    t.loop.call_soon(waiting.set)
    t.loop.run_forever()
    thread.join()
    t.equal("is_running() afterwards", t.loop.is_running(), False)
