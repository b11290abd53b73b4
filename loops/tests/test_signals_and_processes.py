"""Signals where several things want them: children, several loops, threads, SIGINT of a Runner."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

import pytest
from loop_testing import process, target
from loop_testing.compare import on_both, run_turns


@pytest.fixture(autouse=True)
def dispositions():
    numbers = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    assert signal.set_wakeup_fd(-1) == -1


def child(status: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", f"import os; os._exit({status})"])


def test_sigchld_reaches_its_handler_and_steals_no_status(loop) -> None:
    """The children of subprocess.Popen are reaped by Popen, those of the loop by the loop."""
    seen: list[int] = []
    loop.add_signal_handler(signal.SIGCHLD, seen.append, 1)
    mine = [child(status) for status in range(5)]

    async def theirs() -> list[int]:
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-c", f"import os; os._exit({status})"
            )
            for status in range(5, 10)
        ]
        return [await process.wait() for process in processes]

    assert loop.run_until_complete(theirs()) == list(range(5, 10))
    assert [popen.wait() for popen in mine] == list(range(5))
    run_turns(loop)
    assert seen
    assert loop.remove_signal_handler(signal.SIGCHLD)


def test_sigchld_before_the_loop_runs(loop) -> None:
    seen: list[int] = []
    loop.add_signal_handler(signal.SIGCHLD, lambda: (seen.append(1), loop.stop()))
    assert child(3).wait() == 3
    loop.run_forever()
    assert seen == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_more_signals_than_the_pipe_takes(loop) -> None:
    """What does not fit is lost, and the interpreter says so, as on stock; the loop goes on."""
    seen = [0]

    def handler() -> None:
        seen[0] += 1

    def flood() -> None:
        for _ in range(2_000):
            signal.raise_signal(signal.SIGUSR1)

    loop.add_signal_handler(signal.SIGUSR1, handler)
    loop.call_soon(flood)
    run_turns(loop, 100)
    assert seen[0] > 0
    counted = seen[0]
    signal.raise_signal(signal.SIGUSR1)
    run_turns(loop)
    assert seen[0] == counted + 1


def test_signal_from_another_thread(loop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    thread = threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,))
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def test_handlers_of_two_loops() -> None:
    """The process has one wake-up descriptor: the loop that asked last has it."""

    def scenario(other: asyncio.AbstractEventLoop) -> object:
        loop = type(other)()
        seen: list[str] = []
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "first")
        other.add_signal_handler(signal.SIGUSR2, seen.append, "second")
        signal.raise_signal(signal.SIGUSR2)
        run_turns(other)
        signal.raise_signal(signal.SIGUSR1)
        run_turns(loop)
        run_turns(other)
        loop.close()
        signal.raise_signal(signal.SIGUSR2)
        run_turns(other)
        return seen, signal.getsignal(signal.SIGUSR1)

    seen, _ = on_both(scenario)
    assert "second" in seen


PROGRAMS = {
    "handler of the user's inside a Runner": """
        async def main():
            loop = asyncio.get_running_loop()
            done = asyncio.Event()
            loop.add_signal_handler(signal.SIGINT, done.set)
            signal.raise_signal(signal.SIGINT)
            await done.wait()
            print("handled", loop.remove_signal_handler(signal.SIGINT))
            print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """,
    "two runs of a Runner": """
        async def wait():
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()

        async def fine():
            return "fine"

        with asyncio.Runner(loop_factory=new_loop) as runner:
            for main in (wait, fine, wait):
                try:
                    print(runner.run(main()))
                except KeyboardInterrupt:
                    print("interrupted")
    """,
    "main task that outlives its cancellation": """
        async def main():
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "outlived"

        with asyncio.Runner(loop_factory=new_loop) as runner:
            try:
                print(runner.run(main()))
            except KeyboardInterrupt:
                print("interrupted")
    """,
    "SIGINT while a thread of the executor works": """
        started = threading.Event()

        def work():
            started.set()
            time.sleep(0.05)
            return "worked"

        async def main():
            loop = asyncio.get_running_loop()
            working = loop.run_in_executor(None, work)
            while not started.is_set():
                await asyncio.sleep(0)
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.Event().wait()
            finally:
                print(await working)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            try:
                runner.run(main())
            except KeyboardInterrupt:
                print("interrupted")
    """,
    "ignored SIGINT": """
        async def main():
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            return "ignored"

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            print(runner.run(main()))
        print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
    """,
    "handler in a forked child": """
        import warnings
        warnings.simplefilter("ignore")
        seen = []
        loop = new_loop()
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "parent")
        pid = os.fork()
        if pid == 0:
            mine = new_loop()
            mine.add_signal_handler(signal.SIGUSR1, mine.stop)
            mine.call_soon(signal.raise_signal, signal.SIGUSR1)
            mine.run_forever()
            mine.close()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen)
        signal.raise_signal(signal.SIGUSR1)
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        print(seen)
        loop.close()
    """,
    "fork of a thread that is not the loop's": """
        import warnings
        warnings.simplefilter("ignore")

        def fork():
            pid = os.fork()
            if pid == 0:
                try:
                    asyncio.get_running_loop()
                except RuntimeError:
                    fresh = new_loop()
                    value = fresh.run_until_complete(asyncio.sleep(0.001, 5))
                    fresh.close()
                    os._exit(value)
                os._exit(1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        async def main():
            print(await asyncio.get_running_loop().run_in_executor(None, fork))
            await asyncio.sleep(0.001)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_says_what_it_says_on_stock(name: str) -> None:
    said = process.output(PROGRAMS[name])
    assert said
    assert said == process.output(PROGRAMS[name], loop=target.STOCK)
