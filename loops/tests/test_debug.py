"""Debug mode: slow callbacks, thread checks, where coroutines came from."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
import warnings

import pytest
from loop_testing import process, target
from loop_testing.compare import on_both, outcome, run_once


def spin(seconds: float) -> None:
    """Takes at least this long, without sleeping."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.fixture
def debug_loop(loop):
    loop.set_debug(True)
    return loop


def test_get_and_set(loop) -> None:
    assert loop.get_debug() is False
    loop.set_debug(True)
    assert loop.get_debug() is True
    loop.set_debug(False)
    assert loop.get_debug() is False
    loop.set_debug(1)
    assert bool(loop.get_debug()) is True


@pytest.mark.parametrize("value", ["", "0", "1"])
@pytest.mark.parametrize("options", [(), ("-X", "dev"), ("-E",)], ids=["plain", "dev", "isolated"])
def test_default_follows_the_environment(options: tuple[str, ...], value: str) -> None:
    program = "loop = new_loop(); print(loop.get_debug()); loop.close()"
    if "-E" in options:  # PYTHONPATH is ignored too: bring the helpers in by hand
        program = f"import sys; sys.path[:0] = {sys.path!r}\n{process.PROLOGUE}{program}"
    said = {
        loop: process.output(
            program,
            loop=loop,
            options=options,
            prologue="" if "-E" in options else process.PROLOGUE,
            env={"PYTHONASYNCIODEBUG": value},
        )
        for loop in (target.target_name(), target.STOCK)
    }
    assert len(set(said.values())) == 1
    wanted = "dev" in options or bool(value and "-E" not in options)
    assert said[target.STOCK].split() == [str(wanted)]


def test_slow_callback_is_logged(debug_loop, caplog: pytest.LogCaptureFixture) -> None:
    debug_loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        debug_loop.call_soon(spin, 0.01)
        run_once(debug_loop)
    assert any(
        record.levelno == logging.WARNING
        and record.getMessage().startswith("Executing <Handle spin(0.01)")
        and " took 0.0" in record.getMessage()
        for record in caplog.records
    )


def test_slow_task_step_is_logged_with_the_task(debug_loop, caplog) -> None:
    async def slow() -> None:
        spin(0.01)

    debug_loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        debug_loop.run_until_complete(slow())
    assert any(
        "Executing <Task" in record.getMessage() and "slow()" in record.getMessage()
        for record in caplog.records
    )


def test_slow_timer_is_logged(debug_loop, caplog) -> None:
    debug_loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        debug_loop.call_later(0, spin, 0.01)
        run_once(debug_loop)
        run_once(debug_loop)
    assert any("spin(0.01)" in record.getMessage() for record in caplog.records)


def test_quick_callbacks_and_no_debug_log_nothing(loop, caplog) -> None:
    assert loop.slow_callback_duration == 0.1
    loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        loop.call_soon(spin, 0.01)
        run_once(loop)
        loop.set_debug(True)
        loop.slow_callback_duration = 100.0
        loop.call_soon(spin, 0.01)
        run_once(loop)
    assert caplog.records == []


@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_at"])
def test_wrong_thread_is_refused(debug_loop, method: str) -> None:
    """While the loop runs, these are refused from any other thread."""
    raised: list[str] = []
    args = {"call_soon": (int,), "call_later": (1, int), "call_at": (1, int)}[method]

    def other() -> None:
        try:
            getattr(debug_loop, method)(*args)
        except RuntimeError as error:
            raised.append(str(error))
        debug_loop.call_soon_threadsafe(debug_loop.stop)

    debug_loop.call_soon(threading.Thread(target=other).start)
    debug_loop.run_forever()
    assert len(raised) == 1
    assert "Non-thread-safe operation" in raised[0]


def test_thread_check_only_while_running(debug_loop) -> None:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(outcome(debug_loop.call_soon, int)))
    thread.start()
    thread.join()
    assert isinstance(results[0], asyncio.Handle)


def test_coroutine_origin_tracking_follows_the_run(loop) -> None:
    depth = sys.get_coroutine_origin_tracking_depth
    before = depth()
    inside: list[int] = []
    loop.set_debug(True)
    assert depth() == before
    loop.call_soon(lambda: inside.append(depth()))
    run_once(loop)
    assert depth() == before
    loop.set_debug(False)
    loop.call_soon(lambda: inside.append(depth()))
    run_once(loop)
    assert inside[0] > 0
    assert inside[1] == before


def test_set_debug_while_running_switches_the_tracking(loop) -> None:
    async def main() -> list[bool]:
        seen = []
        for value in (True, False, True):
            loop.set_debug(value)
            # asyncio switches through call_soon_threadsafe.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(sys.get_coroutine_origin_tracking_depth() > 0)
        loop.set_debug(False)
        return seen

    assert loop.run_until_complete(main()) == [True, False, True]


def test_never_awaited_tells_where(debug_loop) -> None:
    async def forgotten() -> None:
        pass

    async def main() -> None:
        forgotten()
        gc.collect()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        debug_loop.run_until_complete(main())
    text = str(caught[0].message)
    assert "was never awaited" in text
    assert "created at" in text


def test_slow_poll_is_logged_like_stock(caplog) -> None:
    """Debug mode logs waits of a second and more; here only that it logs nothing else."""

    def scenario(loop: asyncio.AbstractEventLoop) -> list[str]:
        loop.set_debug(True)
        loop.slow_callback_duration = 100.0
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="asyncio"):
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
        return [record.getMessage() for record in caplog.records]

    on_both(scenario)


def test_source_traceback_reaches_the_exception_handler(debug_loop) -> None:
    told: list[dict[str, object]] = []
    debug_loop.set_exception_handler(lambda _, context: told.append(context))

    def boom() -> None:
        raise ValueError

    debug_loop.call_soon(boom)
    run_once(debug_loop)
    frames = told[0]["source_traceback"]
    assert frames[-1].name == "test_source_traceback_reaches_the_exception_handler"


def test_debug_switched_between_schedule_and_run(loop) -> None:
    """Handles made before the switch are run after it, and the other way round."""
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.set_debug(True)
    loop.call_soon(ran.append, 2)
    loop.set_debug(False)
    loop.call_soon(ran.append, 3)
    run_once(loop)
    assert ran == [1, 2, 3]
