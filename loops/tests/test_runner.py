"""asyncio.run, Runner and Ctrl-C with the loop under test."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sys
import threading
import unittest

import pytest
from loop_testing import process
from loop_testing.compare import on_both, outcome


def test_runner(loop_factory) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def put() -> None:
        variable.set(3)

    async def get() -> int:
        return variable.get()

    with asyncio.Runner(loop_factory=loop_factory, debug=True) as runner:
        loop = runner.get_loop()
        assert loop.get_debug()
        runner.run(put())
        assert runner.run(get()) == 3
        assert runner.get_loop() is loop
    assert loop.is_closed()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="run(loop_factory=) came with 3.12")
def test_run(loop_factory) -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(loop_factory())
        return made[0]

    async def main() -> bool:
        return asyncio.get_running_loop() is made[0]

    assert asyncio.run(main(), loop_factory=factory)
    assert made[0].is_closed()


def test_leftovers_are_cancelled_and_shut_down(loop_factory) -> None:
    events: list[str] = []

    async def leftover() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            events.append("cancelled")

    async def generator():
        try:
            yield 1
        finally:
            events.append("generator")

    kept: list[object] = []

    async def main() -> None:
        kept.append(asyncio.create_task(leftover()))
        kept.append(generator())
        await anext(kept[1])
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert events == ["cancelled", "generator"]


def test_runner_inside_a_running_loop_is_refused(loop_factory) -> None:
    inner = asyncio.Runner(loop_factory=loop_factory)
    coroutine = asyncio.sleep(0)

    async def main() -> object:
        return outcome(inner.run, coroutine)

    with asyncio.Runner(loop_factory=loop_factory) as outer:
        assert outer.run(main()) is RuntimeError
    coroutine.close()
    inner.close()


def test_isolated_asyncio_test_case(loop_factory) -> None:
    if sys.version_info < (3, 13):
        pytest.skip("loop_factory of IsolatedAsyncioTestCase came with 3.13")
    seen: list[asyncio.AbstractEventLoop] = []

    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self) -> None:
            seen.append(asyncio.get_running_loop())

        async def test(self) -> None:
            seen.append(asyncio.get_running_loop())
            await asyncio.sleep(0)

    Case.loop_factory = staticmethod(loop_factory)
    result = unittest.TestResult()
    Case("test").run(result)
    assert result.wasSuccessful(), result.errors
    assert seen[0] is seen[1]


def test_first_sigint_cancels_the_main_task() -> None:
    said = process.output(
        """
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("cancelled")
                raise

        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """
    )
    assert said.split() == ["cancelled", "interrupted", "True"]


def test_second_sigint_interrupts_at_once() -> None:
    said = process.output(
        """
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    pass

        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert said.split() == ["interrupted"]


def test_sigint_while_the_runner_sleeps() -> None:
    """The signal comes while the loop waits in the kernel, with nothing else to do."""
    said = process.output(
        """
        main_thread = threading.get_native_id()

        def asleep():
            with open(f"/proc/self/task/{main_thread}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "S"

        def shoot():
            while not asleep():
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        async def main():
            threading.Thread(target=shoot).start()
            await asyncio.Event().wait()

        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert said.split() == ["interrupted"]


@pytest.mark.parametrize("busy", [False, True], ids=["sleeping", "busy"])
def test_keyboard_interrupt_leaves_run_forever(busy: bool) -> None:
    """No runner, no handler: default_int_handler raises out of the loop, which stays usable."""
    said = process.output(
        f"""
        busy = {busy}
        loop = new_loop()
        turns = [0]
        main_thread = threading.get_native_id()

        def asleep():
            with open(f"/proc/self/task/{{main_thread}}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "S"

        def shoot():
            while (turns[0] < 1000) if busy else (not asleep()):
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        def turn():
            turns[0] += 1
            loop.call_soon(turn)

        loop.call_soon(threading.Thread(target=shoot).start)
        if busy:
            loop.call_soon(turn)
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted", loop.is_running())
        turn = lambda: None
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        print("usable")
        """
    )
    assert said.split() == ["interrupted", "False", "usable"]


def test_keyboard_interrupt_ends_the_process_with_sigint() -> None:
    done = process.python(
        """
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        """
    )
    assert done.returncode == -signal.SIGINT, process.describe(done)


def test_runner_in_another_thread(loop_factory) -> None:
    results: list[object] = []

    def work() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            results.append(runner.run(asyncio.sleep(0, "thread")))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == ["thread"]


def test_current_loop_is_untouched_by_runs() -> None:
    def scenario(loop: asyncio.AbstractEventLoop) -> object:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asyncio.sleep(0))
            return asyncio.get_event_loop_policy().get_event_loop() is loop
        finally:
            asyncio.set_event_loop(None)

    if sys.version_info < (3, 14):  # the policy warns from 3.14 on
        assert on_both(scenario)
