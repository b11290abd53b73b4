"""run_in_executor and the shutdown of the default executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
import threading

import pytest


def test_result_and_exception(loop) -> None:
    def divide(a: int, b: int) -> float:
        return a / b

    assert loop.run_until_complete(loop.run_in_executor(None, divide, 6, 3)) == 2
    with pytest.raises(ZeroDivisionError):
        loop.run_until_complete(loop.run_in_executor(None, divide, 1, 0))


def test_thread_names(loop) -> None:
    name = loop.run_until_complete(
        loop.run_in_executor(None, lambda: threading.current_thread().name)
    )
    assert name.startswith("asyncio_")


def test_many_at_once(loop) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(
            *(loop.run_in_executor(None, pow, number, 2) for number in range(200))
        )

    assert loop.run_until_complete(main()) == [number**2 for number in range(200)]


def test_executor_of_ones_own(loop) -> None:
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        name = loop.run_until_complete(
            loop.run_in_executor(pool, lambda: threading.current_thread().name)
        )
    assert name.startswith("mine")


def test_default_executor_is_checked(loop) -> None:
    with pytest.raises(TypeError):
        loop.set_default_executor(object())
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="default")
    loop.set_default_executor(pool)
    name = loop.run_until_complete(
        loop.run_in_executor(None, lambda: threading.current_thread().name)
    )
    assert name.startswith("default")


def test_after_shutdown_it_is_refused(loop_factory) -> None:
    loop = loop_factory()
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.run_until_complete(loop.shutdown_default_executor())
    with pytest.raises(RuntimeError, match="Executor shutdown has been called"):
        loop.run_in_executor(None, int)
    loop.close()


def test_shutdown_waits_without_blocking_the_loop(loop_factory) -> None:
    loop = loop_factory()
    release = threading.Event()
    finished: list[bool] = []

    def work() -> None:
        release.wait()
        finished.append(True)

    async def main() -> None:
        future = loop.run_in_executor(None, work)
        shutdown = asyncio.ensure_future(loop.shutdown_default_executor())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not shutdown.done()
        release.set()
        await shutdown
        assert finished == [True]
        await future

    loop.run_until_complete(main())
    loop.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="timeout= came with 3.12")
def test_shutdown_timeout_warns(loop_factory) -> None:
    loop = loop_factory()
    release = threading.Event()

    async def main() -> None:
        future = loop.run_in_executor(None, release.wait)
        with pytest.warns(RuntimeWarning):
            await loop.shutdown_default_executor(timeout=0.01)
        release.set()
        await future

    loop.run_until_complete(main())
    loop.close()


def test_close_while_work_runs(loop_factory) -> None:
    """close() does not wait; the worker's answer to a closed loop must not raise there."""
    loop = loop_factory()
    started, release = threading.Event(), threading.Event()
    raised: list[object] = []
    hook, threading.excepthook = threading.excepthook, raised.append
    try:

        def work() -> None:
            started.set()
            release.wait()

        loop.run_in_executor(None, work)
        started.wait()
        loop.close()
        release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("asyncio_"):
                thread.join()
    finally:
        threading.excepthook = hook
    assert raised == []


def test_to_thread_copies_the_context(loop) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def main() -> int:
        variable.set(9)
        return await asyncio.to_thread(variable.get)

    assert loop.run_until_complete(main()) == 9
