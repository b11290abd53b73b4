"""SIGN: Ctrl-C, handlers made with signal.signal(), and interrupted system calls."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.asleep import when_asleep
from loopgauge.conformance.trial import Trial

JOIN_SECONDS = 5.0


def interrupt() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


@case(
    "SIGN-008.idle",
    variants=("nothing", "timer"),
    expected="KeyboardInterrupt; the loop is not running, and can be run again",
)
def ctrl_c_while_idle(t: Trial, kind: str) -> None:
    """SIGINT comes while the loop sleeps, without a timer or with one an hour away."""
    timer = t.loop.call_later(3600, t.event, "timer") if kind == "timer" else None
    thread = when_asleep(interrupt)
    with t.raises(KeyboardInterrupt, what="run_forever raises"):
        t.loop.run_forever()
    thread.join(JOIN_SECONDS)
    t.equal("running", t.loop.is_running(), False)
    t.loop.call_soon(t.event, "runs again")
    t.spin()
    t.saw("runs again")
    if timer is not None:
        timer.cancel()


@case("SIGN-008.busy", expected="KeyboardInterrupt")
def ctrl_c_in_a_callback(t: Trial) -> None:
    """SIGINT comes while a callback runs."""
    t.loop.call_soon(interrupt)
    t.loop.call_later(5, t.loop.stop)
    with t.raises(KeyboardInterrupt, what="run_forever raises"):
        t.loop.run_forever()
    t.equal("running", t.loop.is_running(), False)


@case("SIGN-008.spinning", expected="KeyboardInterrupt")
def ctrl_c_while_callbacks_spin(t: Trial) -> None:
    """A callback schedules itself for ever, so the loop never sleeps; a thread sends SIGINT. The
    loop gives up after 5 s."""
    begin = time.monotonic()
    running = threading.Event()

    def again() -> None:
        running.set()
        if time.monotonic() < begin + 5:
            t.loop.call_soon(again)
        else:
            t.loop.stop()

    loop = t.loop
    loop.call_soon(again)

    def work() -> None:
        running.wait(JOIN_SECONDS)
        interrupt()

    thread = t.thread(work)
    with t.raises(KeyboardInterrupt, what="run_forever raises"):
        loop.run_forever()
    thread.join(JOIN_SECONDS)


@case("SIGN-008.with-handlers", expected="KeyboardInterrupt: SIGINT is not among the handlers")
def ctrl_c_beside_other_handlers(t: Trial) -> None:
    """Another signal has a handler in the loop; SIGINT comes while the loop sleeps."""
    t.loop.add_signal_handler(signal.SIGUSR1, t.event, "SIGUSR1")
    thread = when_asleep(interrupt)
    with t.raises(KeyboardInterrupt, what="run_forever raises"):
        t.loop.run_forever()
    thread.join(JOIN_SECONDS)
    t.saw()


@case("SIGN-008.run-until-complete", expected="KeyboardInterrupt; the task can be ended afterwards")
def ctrl_c_in_run_until_complete(t: Trial) -> None:
    """SIGINT comes while run_until_complete waits for a task that waits for ever."""
    task = t.loop.create_task(asyncio.Event().wait())
    thread = when_asleep(interrupt)
    with t.raises(KeyboardInterrupt, what="run_until_complete raises"):
        t.loop.run_until_complete(task)
    thread.join(JOIN_SECONDS)
    t.equal("the task is done", task.done(), False)
    task.cancel()
    with t.raises(asyncio.CancelledError, what="the cancelled task raises"):
        t.loop.run_until_complete(task)


@case("SIGN-009.first", expected="cancelled, cleaned up; then run() raises KeyboardInterrupt")
def first_interrupt_cancels(t: Trial) -> None:
    """Runner.run() waits for ever in its main task when SIGINT comes; the task cleans up."""

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            t.event("cancelled")
            await asyncio.sleep(0.001)
            t.event("cleaned up")
            raise

    with asyncio.Runner(loop_factory=t.factory) as runner:
        thread = when_asleep(interrupt)
        with t.raises(KeyboardInterrupt, what="run() raises"):
            runner.run(main())
        thread.join(JOIN_SECONDS)
    t.saw("cancelled", "cleaned up")
    t.true("SIGINT is as it was", signal.getsignal(signal.SIGINT) is signal.default_int_handler)


@case("SIGN-009.swallowed", expected="run() returns the result of the task")
def cancellation_is_swallowed(t: Trial) -> None:
    """The main task does not pass the cancellation on, but returns."""

    async def main() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            t.event("cancelled")
        return "result"

    with asyncio.Runner(loop_factory=t.factory) as runner:
        thread = when_asleep(interrupt)
        t.equal("result", runner.run(main()), "result")
        thread.join(JOIN_SECONDS)
    t.saw("cancelled")


@case("SIGN-009.second", expected="KeyboardInterrupt at once, without waiting for the task")
def second_interrupt(t: Trial) -> None:
    """The main task, cancelled by the first SIGINT, waits once more; then SIGINT comes again."""

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            t.event("cancelled")
            threads.append(when_asleep(interrupt))
            await asyncio.sleep(3600)

    threads = []
    with asyncio.Runner(loop_factory=t.factory) as runner:
        threads.append(when_asleep(interrupt))
        with t.raises(KeyboardInterrupt, what="run() raises"):
            runner.run(main())
        t.equal("running", runner.get_loop().is_running(), False)
        for thread in threads:
            thread.join(JOIN_SECONDS)
    t.saw("cancelled")
    t.true("SIGINT is as it was", signal.getsignal(signal.SIGINT) is signal.default_int_handler)


@case("SIGN-009.own-handler", expected="the program's handler is called; nothing is cancelled")
def own_handler_is_left_alone(t: Trial) -> None:
    """The program has its own handler for SIGINT before it calls Runner.run()."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        ended.append(lambda: loop.call_soon_threadsafe(event.set))
        t.true("the runner's handler is not there", signal.getsignal(signal.SIGINT) is own)
        event = asyncio.Event()
        threads.append(when_asleep(interrupt))
        await event.wait()
        return "result"

    def own(*_: object) -> None:
        t.event("handler")
        ended[0]()

    ended: list[Callable[[], object]] = []
    threads: list[threading.Thread] = []
    signal.signal(signal.SIGINT, own)
    with asyncio.Runner(loop_factory=t.factory) as runner:
        t.equal("result", runner.run(main()), "result")
        threads[0].join(JOIN_SECONDS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    t.saw("handler")


@case("SIGN-011.idle", expected="the handler runs while the loop sleeps, and the loop goes on")
def python_handler_while_idle(t: Trial) -> None:
    """A handler made with signal.signal(), which does not know the loop; the signal comes while
    the loop sleeps, and a thread waits for the handler before it stops the loop."""
    called: list[int] = []
    loop = t.loop
    before = signal.signal(signal.SIGUSR1, lambda signum, _frame: called.append(signum))

    def work() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        deadline = time.monotonic() + JOIN_SECONDS
        while not called and time.monotonic() < deadline:
            time.sleep(0.001)
        t.event("seen" if called else "not seen")
        loop.call_soon_threadsafe(loop.stop)

    thread = when_asleep(work)
    loop.run_forever()
    thread.join(JOIN_SECONDS)
    signal.signal(signal.SIGUSR1, before)
    t.saw("seen")
    t.equal("calls", called, [signal.SIGUSR1])


@case("SIGN-011.exception", expected="it comes out of run_forever")
def python_handler_raises(t: Trial) -> None:
    """A handler made with signal.signal() raises an exception of its own while the loop sleeps."""

    class Meant(Exception):
        pass

    def handler(*_: object) -> None:
        raise Meant

    before = signal.signal(signal.SIGUSR1, handler)
    thread = when_asleep(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    with t.raises(Meant, what="run_forever raises"):
        t.loop.run_forever()
    thread.join(JOIN_SECONDS)
    signal.signal(signal.SIGUSR1, before)
    t.equal("running", t.loop.is_running(), False)


@case("SIGN-013.storm", expected="all data arrives, no sleep is cut short, and nothing raises")
def interrupted_system_calls(t: Trial) -> None:
    """A signal comes every half millisecond, handled by Python, while the loop sends and receives
    64 messages over a socket pair and sleeps."""
    count = 0

    def handler(*_: object) -> None:
        nonlocal count
        count += 1

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(64):
            await loop.sock_sendall(ours, bytes([number]) * 100)
            received = 0
            while received < 100:
                received += len(await loop.sock_recv(peer, 100))
            await asyncio.sleep(0.0005)
        begin = time.monotonic()
        await asyncio.sleep(0.02)
        t.between("a sleep of 20 ms, in seconds", time.monotonic() - begin, 0.018, 1000)

    ours, peer = socket.socketpair()
    ours.setblocking(False)
    peer.setblocking(False)
    loop = t.loop
    before = signal.signal(signal.SIGALRM, handler)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        loop.run_until_complete(main())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        ours.close()
        peer.close()
    t.true("signals came", count > 0)
