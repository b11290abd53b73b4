"""What a loop takes it gives back: descriptors, threads, memory; and it says when forgotten."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from pathlib import Path

import pytest
from loop_testing import process
from loop_testing.compare import run_once


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def use(loop: asyncio.AbstractEventLoop) -> None:
    """Everything for which a loop opens something of its own."""
    import signal
    import socket

    left, right = socket.socketpair()
    loop.add_reader(right, int)
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.call_soon_threadsafe(int)
    loop.run_until_complete(asyncio.sleep(0.0001))
    left.close()
    loop.remove_reader(right)
    right.close()


def test_unclosed_loop_warns(loop_factory) -> None:
    loop = loop_factory()
    run_once(loop)
    before = descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = repr(loop)
        del loop
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert "unclosed event loop" in str(caught[0].message)
    assert text[:10] in str(caught[0].message)
    assert len(descriptors()) <= len(before)


def test_closed_loop_does_not_warn(loop_factory) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop = loop_factory()
        run_once(loop)
        loop.close()
        del loop
        gc.collect()
    assert caught == []


def test_create_and_close_a_thousand_times(loop_factory) -> None:
    for _ in range(3):
        warm = loop_factory()
        use(warm)
        warm.close()
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for number in range(1000):
        loop = loop_factory()
        if number % 10 == 0:
            use(loop)
        elif number % 2:
            run_once(loop)
        loop.close()
    del loop
    gc.collect()
    assert descriptors() == before
    assert threading.active_count() == threads


def test_loops_are_collected(loop_factory) -> None:
    import weakref

    alive = []
    for _ in range(20):
        loop = loop_factory()
        use(loop)
        handle = loop.call_later(1000, int)
        loop.call_soon(handle.cancel)
        alive.append(weakref.ref(loop))
        loop.close()
    del loop, handle
    gc.collect()
    assert [reference for reference in alive if reference() is not None] == []


MEMORY = """
    import gc

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def grown(work, rounds):
        # The first rounds fill free lists and arenas; only what comes after counts.
        for _ in range(3):
            work()
        gc.collect()
        before = resident()
        for _ in range(rounds):
            work()
        gc.collect()
        return resident() - before

    loop = new_loop()
"""

#: Bytes. One leaked reference of 56 bytes per callback would be 28 MB at half a million.
SLACK = 4 << 20


def test_half_a_million_callbacks_leave_memory_flat() -> None:
    said = process.output(
        MEMORY
        + """
    def work():
        for number in range(10_000):
            loop.call_soon(divmod, number, 3)
        loop.call_soon(loop.stop)
        loop.run_forever()

    print(grown(work, 50))
    """
    )
    assert int(said) < SLACK


def test_a_chain_of_callbacks_leaves_memory_flat() -> None:
    said = process.output(
        MEMORY
        + """
    def step(left, context):
        if left:
            loop.call_soon(step, left - 1, context, context=context)
        else:
            loop.stop()

    import contextvars

    def work():
        loop.call_soon(step, 10_000, contextvars.copy_context())
        loop.run_forever()

    print(grown(work, 20))
    """
    )
    assert int(said) < SLACK


def test_cancelled_timers_leave_memory_flat() -> None:
    said = process.output(
        MEMORY
        + """
    def work():
        for number in range(10_000):
            loop.call_later(10_000 + number, divmod, number, 3).cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()

    print(grown(work, 30))
    """
    )
    assert int(said) < SLACK


def test_tasks_and_threads_leave_memory_flat() -> None:
    said = process.output(
        MEMORY
        + """
    async def step():
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(step() for _ in range(1000)))
        for _ in range(1000):
            loop.call_soon_threadsafe(int)
        await asyncio.sleep(0)

    print(grown(lambda: loop.run_until_complete(main()), 30))
    """
    )
    assert int(said) < SLACK


def test_exceptions_leave_memory_flat() -> None:
    said = process.output(
        MEMORY
        + """
    loop.set_exception_handler(lambda *_: None)

    def boom(data):
        raise ValueError(data)

    def work():
        for _ in range(1000):
            loop.call_soon(boom, bytearray(1000))
        loop.call_soon(loop.stop)
        loop.run_forever()

    print(grown(work, 30))
    """
    )
    assert int(said) < SLACK


def test_a_burst_is_given_back() -> None:
    """A queue that has grown to a million entries must not keep them for ever."""
    said = process.output(
        MEMORY
        + """
    def work():
        for _ in range(1_000_000):
            loop.call_soon(int)
        loop.call_soon(loop.stop)
        loop.run_forever()

    start = resident()
    for _ in range(1_000_000):
        loop.call_soon(int)
    peak = resident()
    loop.call_soon(loop.stop)
    loop.run_forever()
    for _ in range(100):
        loop.call_soon(loop.stop)
        loop.run_forever()
    gc.collect()
    print(peak - start, resident() - start)
    """
    )
    grown, kept = map(int, said.split())
    assert grown > 20 << 20
    assert kept < grown / 2


@pytest.mark.parametrize("kind", ["call_soon", "call_later", "create_task", "call_soon_threadsafe"])
def test_out_of_memory_is_an_exception(kind: str) -> None:
    """Allocation failures become MemoryError; the process does not abort."""
    testcapi = pytest.importorskip("_testcapi")
    if not hasattr(testcapi, "set_nomemory"):
        pytest.skip("this build cannot inject failures")
    done = process.python(
        f"""
        import _testcapi
        loop = new_loop()
        kind = {kind!r}

        async def work():
            pass

        def call():
            if kind == "call_soon":
                return loop.call_soon(divmod, 5, 3)
            if kind == "call_later":
                return loop.call_later(1000, divmod, 5, 3)
            if kind == "call_soon_threadsafe":
                return loop.call_soon_threadsafe(divmod, 5, 3)
            return loop.create_task(work())

        import warnings
        warnings.simplefilter("ignore")
        # Alive, so that no free list has anything to give: every call must allocate.
        keep = [call() for _ in range(3000)]
        failures = 0
        for start in range(1, 40):
            _testcapi.set_nomemory(start, start + 1)
            try:
                keep.append(call())
            except MemoryError:
                failures += 1
            finally:
                _testcapi.remove_mem_hooks()
        for handle in keep:
            handle.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        print(failures)
        """
    )
    assert done.returncode == 0, process.describe(done)
    assert int(done.stdout) > 0
