"""call_soon_threadsafe: from other threads, from signal handlers, into a sleeping loop."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest
from loop_testing import process
from loop_testing.compare import run_once


def test_order_with_call_soon_in_the_same_thread(loop) -> None:
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.call_soon_threadsafe(ran.append, 2)
    loop.call_soon(ran.append, 3)
    run_once(loop)
    assert ran == [1, 2, 3]


def test_before_the_loop_runs(loop) -> None:
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    thread.start()
    thread.join()
    loop.run_forever()


def test_wakes_a_sleeping_loop(loop) -> None:
    """Nothing else would ever end this loop."""
    started = threading.Event()

    def wake() -> None:
        started.wait()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=wake)
    thread.start()
    loop.call_soon(started.set)
    loop.run_forever()
    thread.join()


def test_wakes_again_and_again(loop) -> None:
    """Each answer is asked for only after the previous one: the loop sleeps in between."""
    rounds = 2000
    answers: list[int] = []
    answered = threading.Semaphore(0)

    def answer(number: int) -> None:
        answers.append(number)
        answered.release()

    def ask() -> None:
        for number in range(rounds):
            loop.call_soon_threadsafe(answer, number)
            answered.acquire()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=ask)
    thread.start()
    loop.run_forever()
    thread.join()
    assert answers == list(range(rounds))


def test_wakes_a_loop_that_waits_for_a_timer(loop) -> None:
    timer = loop.call_later(10_000, lambda: None)
    started = threading.Event()
    thread = threading.Thread(target=lambda: (started.wait(), loop.call_soon_threadsafe(loop.stop)))
    thread.start()
    loop.call_soon(started.set)
    loop.run_forever()
    thread.join()
    timer.cancel()


def test_many_threads_lose_nothing_and_keep_their_order(loop) -> None:
    threads, calls = 8, 5000
    seen: list[tuple[int, int]] = []

    def work(name: int) -> None:
        for number in range(calls):
            loop.call_soon_threadsafe(seen.append, (name, number))

    workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]

    def finish() -> None:
        for worker in workers:
            worker.join()
        loop.call_soon_threadsafe(loop.stop)

    for worker in workers:
        worker.start()
    last = threading.Thread(target=finish)
    last.start()
    loop.run_forever()
    last.join()
    for name in range(threads):
        assert [number for who, number in seen if who == name] == list(range(calls))
    assert len(seen) == threads * calls


def test_context(loop) -> None:
    import contextvars

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    loop.call_soon_threadsafe(variable.set, 3, context=context)
    run_once(loop)
    assert context[variable] == 3


def test_from_a_signal_handler_of_python(loop) -> None:
    """A handler runs inside a callback or around the poll: both must wake the loop."""
    import os
    import signal

    def handler(*_: object) -> None:
        loop.call_soon_threadsafe(loop.stop)

    previous = signal.signal(signal.SIGUSR1, handler)
    try:
        for _ in range(50):
            loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
            loop.run_forever()
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_from_a_signal_handler_while_the_loop_sleeps() -> None:
    """No add_signal_handler, no timer, no descriptor: only the handler's call can wake it."""
    said = process.output(
        """
        loop = new_loop()
        signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(loop.stop))

        def shoot():
            # The main thread shows up as sleeping in the kernel before it is shot at.
            while open(f"/proc/self/task/{main}/stat").read().rsplit(")")[1].split()[0] != "S":
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)

        main = threading.get_native_id()
        loop.call_soon(threading.Thread(target=shoot).start)
        loop.run_forever()
        loop.close()
        print("woken")
        """
    )
    assert said == "woken\n"


def test_run_coroutine_threadsafe(loop) -> None:
    async def work(value: int) -> int:
        await asyncio.sleep(0)
        if value < 0:
            raise ValueError(value)
        return value * 2

    def ask() -> list[object]:
        good = asyncio.run_coroutine_threadsafe(work(21), loop)
        bad = asyncio.run_coroutine_threadsafe(work(-1), loop)
        return [good.result(), type(bad.exception())]

    async def main() -> list[object]:
        return await asyncio.get_running_loop().run_in_executor(None, ask)

    assert loop.run_until_complete(main()) == [42, ValueError]


def test_after_close_it_is_refused_in_every_thread(loop_factory) -> None:
    loop = loop_factory()
    loop.close()
    raised: list[type] = []

    def ask() -> None:
        try:
            loop.call_soon_threadsafe(print)
        except RuntimeError as error:
            raised.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert raised == [RuntimeError]


def test_threads_that_call_while_the_loop_closes(loop_factory) -> None:
    """Either the call is accepted or it raises RuntimeError; nothing crashes or hangs."""
    for _ in range(20):
        loop = loop_factory()
        stop = threading.Event()
        strange: list[BaseException] = []

        def work(loop: asyncio.AbstractEventLoop = loop, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                try:
                    loop.call_soon_threadsafe(int)
                    time.sleep(0)  # gives the GIL away: a flood would starve the loop's thread
                except RuntimeError:
                    return
                except BaseException as error:
                    strange.append(error)  # noqa: B023
                    return

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            run_once(loop)
        loop.close()
        stop.set()
        for thread in threads:
            thread.join()
        assert strange == []


@pytest.mark.skipif(sys.version_info < (3, 14), reason="thread-safe cancel came with 3.14")
def test_cancel_from_another_thread_waits_for_the_callback(loop) -> None:
    """3.14: once cancel() returned, the callback is not running and will not run."""
    inside, leave = threading.Event(), threading.Event()
    finished: list[bool] = []

    def callback() -> None:
        inside.set()
        leave.wait()
        finished.append(True)

    handle = loop.call_soon_threadsafe(callback)
    observed: list[bool] = []

    def cancel() -> None:
        inside.wait()
        release = threading.Timer(0.05, leave.set)
        release.start()
        handle.cancel()
        observed.append(bool(finished))
        release.join()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=cancel)
    thread.start()
    loop.run_forever()
    thread.join()
    assert observed == [True]
    assert handle.cancelled()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="thread-safe cancel came with 3.14")
def test_threadsafe_handle_cancels_itself(loop) -> None:
    """The lock that makes cancel safe must not be taken twice by the loop's own thread."""
    ran: list[int] = []

    def callback() -> None:
        handle.cancel()
        ran.append(1)

    handle = loop.call_soon_threadsafe(callback)
    run_once(loop)
    assert ran == [1]
    assert handle.cancelled()


def test_cancel_races_with_the_run(loop) -> None:
    """Another thread cancels while the loop runs: ran or not, arguments stay whole."""
    rounds = 3000
    wrong: list[object] = []

    def callback(a: object, b: object, c: object, d: object) -> None:
        if (a, b, c, d) != (1, "two", [3], (4,)):
            wrong.append((a, b, c, d))

    def work() -> None:
        for _ in range(rounds):
            handle = loop.call_soon_threadsafe(callback, 1, "two", [3], (4,))
            handle.cancel()
        loop.call_soon_threadsafe(loop.stop)

    told: list[object] = []
    loop.set_exception_handler(lambda _, info: told.append(info))
    thread = threading.Thread(target=work)
    thread.start()
    loop.run_forever()
    thread.join()
    assert wrong == []
    if sys.version_info >= (3, 14):
        # Before 3.14 stock itself may run a handle whose arguments cancel() has just taken.
        assert told == []
