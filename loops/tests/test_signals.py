"""add_signal_handler: no signal is lost, whatever the loop does when it comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import traceback

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome, run_once

MINE = signal.SIGUSR1
OTHER = signal.SIGUSR2


@pytest.fixture(autouse=True)
def dispositions():
    """The tests send signals to their own process: put everything back afterwards."""
    before = {number: signal.getsignal(number) for number in (MINE, OTHER)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    assert signal.set_wakeup_fd(-1) == -1


def shoot(number: int = MINE) -> None:
    os.kill(os.getpid(), number)


def test_handler_runs_in_the_loop_with_its_arguments(loop) -> None:
    seen: list[object] = []

    def handler(*args: object) -> None:
        seen.append((args, asyncio.get_running_loop() is loop))
        loop.stop()

    loop.add_signal_handler(MINE, handler, 1, "two")
    loop.call_soon(shoot)
    loop.run_forever()
    assert seen == [((1, "two"), True)]


def test_a_signal_leaves_the_loop_native(loop) -> None:
    """With a handle of CPython's it would run on CPython's scheduler from then on."""
    callers: list[set[str]] = []

    def look() -> None:
        frames = traceback.walk_stack(sys._getframe())
        callers.append({frame.f_code.co_name for frame, _ in frames})
        loop.stop()

    loop.add_signal_handler(MINE, look)
    loop.call_soon(shoot)
    loop.run_forever()
    loop.call_soon(look)
    loop.run_forever()
    assert len(callers) == 2
    assert all("_run_once" not in names for names in callers)


def test_signal_between_add_and_run(loop) -> None:
    seen: list[int] = []
    loop.add_signal_handler(MINE, lambda: (seen.append(1), loop.stop()))
    shoot()
    loop.run_forever()
    assert seen == [1]


def test_signal_between_two_runs(loop) -> None:
    seen: list[int] = []
    loop.add_signal_handler(MINE, lambda: (seen.append(1), loop.stop()))
    run_once(loop)
    shoot()
    loop.run_forever()
    assert seen == [1]


def test_signal_while_the_loop_sleeps() -> None:
    said = process.output(
        """
        loop = new_loop()
        main_thread = threading.get_native_id()

        def asleep():
            with open(f"/proc/self/task/{main_thread}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "S"

        def shoot():
            while not asleep():
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)

        loop.add_signal_handler(signal.SIGUSR1, loop.stop)
        loop.call_soon(threading.Thread(target=shoot).start)
        loop.run_forever()
        loop.close()
        print("stopped")
        """
    )
    assert said == "stopped\n"


def test_signal_while_the_ready_queue_is_never_empty(loop) -> None:
    """A chain of callbacks with nothing to poll for: the signal must be seen all the same."""
    turns = [0]

    def turn() -> None:
        turns[0] += 1
        if turns[0] == 100:
            shoot()
        assert turns[0] < 1_000_000, "the signal was not seen"
        loop.call_soon(turn)

    loop.add_signal_handler(MINE, loop.stop)
    loop.call_soon(turn)
    loop.run_forever()
    assert turns[0] < 1100


def test_every_delivery_is_counted(loop) -> None:
    """One signal at a time, each sent when the last was handled: none coalesces."""
    wanted, seen = 200, [0]

    def handler() -> None:
        seen[0] += 1
        if seen[0] == wanted:
            loop.stop()
        else:
            shoot()

    loop.add_signal_handler(MINE, handler)
    loop.call_soon(shoot)
    loop.run_forever()
    assert seen[0] == wanted


def test_two_signals(loop) -> None:
    seen: set[int] = set()

    def handler(number: int) -> None:
        seen.add(number)
        if len(seen) == 2:
            loop.stop()

    loop.add_signal_handler(MINE, handler, MINE)
    loop.add_signal_handler(OTHER, handler, OTHER)
    loop.call_soon(shoot, MINE)
    loop.call_soon(shoot, OTHER)
    loop.run_forever()
    assert seen == {MINE, OTHER}


def test_replace(loop) -> None:
    seen: list[str] = []
    loop.add_signal_handler(MINE, seen.append, "old")
    loop.add_signal_handler(MINE, lambda: (seen.append("new"), loop.stop()))
    loop.call_soon(shoot)
    loop.run_forever()
    assert seen == ["new"]


def test_remove_restores_and_tells() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        absent = loop.remove_signal_handler(MINE)
        loop.add_signal_handler(MINE, int)
        removed = loop.remove_signal_handler(MINE)
        default = signal.getsignal(MINE) is signal.SIG_DFL
        loop.add_signal_handler(signal.SIGINT, int)
        loop.remove_signal_handler(signal.SIGINT)
        sigint = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        return absent, removed, default, sigint, loop.remove_signal_handler(MINE)

    assert on_both(scenario) == (False, True, True, True, False)


def test_close_restores(loop_factory) -> None:
    """Also on a loop that never ran."""
    for runs in (0, 1):
        loop = loop_factory()
        loop.add_signal_handler(MINE, int)
        assert signal.getsignal(MINE) is not signal.SIG_DFL
        for _ in range(runs):
            run_once(loop)
        loop.close()
        assert signal.getsignal(MINE) is signal.SIG_DFL
        assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize(
    "number", [0, -1, 1000, "x", None, 1.5, signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD]
)
def test_bad_signal_numbers(number: object) -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        return outcome(loop.add_signal_handler, number, int), outcome(
            loop.remove_signal_handler, number
        )

    on_both(scenario)


def test_coroutines_are_refused(loop) -> None:
    async def coroutine() -> None:
        pass

    with pytest.raises(TypeError):
        loop.add_signal_handler(MINE, coroutine)
    started = coroutine()
    with pytest.raises(TypeError):
        loop.add_signal_handler(MINE, started)
    started.close()


def test_not_in_another_thread(loop) -> None:
    raised: list[type] = []
    thread = threading.Thread(
        target=lambda: raised.append(outcome(loop.add_signal_handler, MINE, int))
    )
    thread.start()
    thread.join()
    assert raised[0] in (RuntimeError, ValueError)


def test_handler_of_signal_signal_still_runs(loop) -> None:
    """A Python handler that nobody told the loop about runs while the loop polls."""
    seen: list[int] = []
    signal.signal(OTHER, lambda *_: seen.append(1))
    loop.add_signal_handler(MINE, loop.stop)
    loop.call_soon(shoot, OTHER)
    loop.call_soon(shoot, MINE)
    loop.run_forever()
    assert seen == [1]


def test_python_handler_that_raises_leaves_the_loop(loop) -> None:
    def handler(*_: object) -> None:
        raise LookupError("from the handler")

    signal.signal(OTHER, handler)
    timer = loop.call_later(1000, int)
    # A C function of which the interpreter runs nothing: the loop itself must notice.
    loop.call_soon(signal.raise_signal, OTHER)
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: (told.append(context), loop.stop()))
    raised = outcome(loop.run_forever)
    timer.cancel()
    # Inside a callback it is that callback's exception; between two, it leaves the loop.
    assert raised is LookupError or isinstance(told[0]["exception"], LookupError)
    run_once(loop)


def test_removed_inside_its_own_handler(loop) -> None:
    seen: list[int] = []

    def handler() -> None:
        seen.append(1)
        assert loop.remove_signal_handler(MINE)
        signal.signal(MINE, lambda *_: seen.append(2))
        shoot()
        loop.stop()

    loop.add_signal_handler(MINE, handler)
    loop.call_soon(shoot)
    loop.run_forever()
    assert seen == [1, 2]


def test_removed_before_a_queued_delivery(loop) -> None:
    """The signal came, the handler was taken away before the loop ran: nothing is called."""

    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        seen: list[int] = []
        loop.add_signal_handler(MINE, seen.append, 1)
        shoot()
        loop.remove_signal_handler(MINE)
        run_once(loop)
        run_once(loop)
        return seen

    assert on_both(scenario) == []


def test_handler_that_raises_is_reported(loop) -> None:
    told: list[type] = []
    loop.set_exception_handler(
        lambda _, context: (told.append(type(context["exception"])), loop.stop())
    )

    def handler() -> None:
        raise ValueError

    loop.add_signal_handler(MINE, handler)
    loop.call_soon(shoot)
    loop.run_forever()
    assert told == [ValueError]


def test_in_debug_mode(loop) -> None:
    """The thread check of debug mode must not refuse the loop's own delivery."""
    loop.set_debug(True)
    loop.add_signal_handler(MINE, loop.stop)
    loop.call_soon(shoot)
    loop.run_forever()


def test_two_loops_after_each_other(loop_factory) -> None:
    for _ in range(3):
        loop = loop_factory()
        loop.add_signal_handler(MINE, loop.stop)
        loop.call_soon(shoot)
        loop.run_forever()
        loop.close()
