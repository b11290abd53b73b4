"""loopgauge._bench: slots through Google Benchmark, and the native callbacks."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loopgauge.harness.worker.engine import Run, load_engine

bench = load_engine()


def exactly(n: int) -> int:
    return n


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop: asyncio.AbstractEventLoop = pytest.importorskip(request.param).new_event_loop()
    yield loop
    loop.close()


def run_script(
    script: str, directory: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """With the variables of `environment` besides those of this process."""
    command = [sys.executable, "-P", "-c", textwrap.dedent(script)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=directory,
        check=False,
    )


class TestRunSlots:
    def test_slots_run_in_order_and_are_reported_at_once(self) -> None:
        calls: list[tuple[str, int]] = []

        def slot(name: str) -> Run:
            def run(n: int) -> int:
                calls.append((name, n))
                return n

            return run

        bench.run_slots(
            [(slot("a"), 3), (slot("b"), 1), (slot("a"), 2)],
            lambda slot: calls.append(("prepare", slot)),
            lambda slot, *times: calls.append(("finished", slot)),
        )
        assert calls == [
            *[("prepare", 0), ("a", 3), ("finished", 0)],
            *[("prepare", 1), ("b", 1), ("finished", 1)],
            *[("prepare", 2), ("a", 2), ("finished", 2)],
        ]

    def test_the_times_are_those_of_the_call(self) -> None:
        """A burner of 2 ms CPU in the slot, one of 20 ms before it."""

        def burn(ns: int) -> None:
            end = bench.thread_cpu_ns() + ns
            while bench.thread_cpu_ns() < end:
                pass

        def run(n: int) -> int:
            burn(2_000_000)
            return n

        reported: list[tuple[int, ...]] = []
        bench.run_slots(
            [(run, 1)], lambda slot: burn(20_000_000), lambda *report: reported.append(report)
        )
        [(slot, wall, thread, process, switches)] = reported
        assert slot == 0
        assert 2_000_000 <= thread < 20_000_000
        assert process >= 2_000_000
        assert wall >= 2_000_000
        assert switches >= 0

    @pytest.mark.parametrize("result", [4, 6, None, "5", 5.0, 1 << 80])
    def test_a_wrong_count_is_an_error(self, result: Any) -> None:
        with pytest.raises(bench.SlotError) as caught:
            bench.run_slots([(exactly, 1), (lambda n: result, 5)])
        assert caught.value.slot == 1
        assert isinstance(caught.value.__cause__, bench.WrongCount)
        assert repr(result) in str(caught.value.__cause__)

    @pytest.mark.parametrize("place", ["prepare", "run", "finished"])
    def test_an_exception_stops_the_run_and_comes_out_with_its_slot(self, place: str) -> None:
        seen: list[tuple[str, int]] = []

        def step(name: str, slot: int) -> None:
            seen.append((name, slot))
            if (name, slot) == (place, 1):
                raise ZeroDivisionError("in slot 1")

        def slot(index: int) -> Run:
            def run(n: int) -> int:
                step("run", index)
                return n

            return run

        with pytest.raises(bench.SlotError) as caught:
            bench.run_slots(
                [(slot(index), 1) for index in range(3)],
                lambda slot: step("prepare", slot),
                lambda slot, *times: step("finished", slot),
            )
        assert caught.value.slot == 1
        cause = caught.value.__cause__
        assert isinstance(cause, ZeroDivisionError)
        assert cause.__traceback__ is not None
        assert seen[-1] == (place, 1)

    def test_a_base_exception_is_carried_out_too(self) -> None:
        """What a panic in a loop written in Rust looks like."""

        class PanicException(BaseException):
            pass

        def panic(n: int) -> int:
            raise PanicException("boom")

        with pytest.raises(bench.SlotError) as caught:
            bench.run_slots([(panic, 1)])
        assert isinstance(caught.value.__cause__, PanicException)

    def test_keyboard_interrupt_is_nobodys_failure(self) -> None:
        def interrupt(n: int) -> int:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bench.run_slots([(interrupt, 1), (exactly, 1)])

    def test_the_engine_works_again_after_a_failure(self) -> None:
        with pytest.raises(bench.SlotError):
            bench.run_slots([(lambda n: None, 1)])  # type: ignore[list-item,return-value]
        done: list[int] = []
        bench.run_slots([(exactly, 1)] * 3, None, lambda slot, *times: done.append(slot))
        assert done == [0, 1, 2]

    def test_runs_cannot_be_nested(self) -> None:
        def nested(n: int) -> int:
            bench.run_slots([(exactly, 1)])
            return n

        with pytest.raises(bench.SlotError) as caught:
            bench.run_slots([(nested, 1)])
        assert "nested" in str(caught.value.__cause__)

    @pytest.mark.parametrize(
        ("slots", "error"),
        [
            ([(exactly, 0)], ValueError),
            ([(exactly, -1)], ValueError),
            ([(None, 1)], TypeError),
            ([exactly], RuntimeError),
        ],
    )
    def test_bad_slots_are_refused_before_anything_runs(
        self, slots: Any, error: type[Exception]
    ) -> None:
        def unwanted(n: int) -> int:
            pytest.fail("a slot ran")

        with pytest.raises(error):
            bench.run_slots([(unwanted, 1), *slots])

    def test_no_slots_is_no_run(self, capfd: pytest.CaptureFixture[str]) -> None:
        bench.run_slots([])
        assert capfd.readouterr() == ("", "")

    def test_nothing_is_printed(self, capfd: pytest.CaptureFixture[str]) -> None:
        bench.run_slots([(exactly, 1)] * 3)
        bench.calibrate(exactly, 1e-6)
        assert capfd.readouterr() == ("", "")

    def test_the_callables_are_released(self) -> None:
        class Callable_:
            def __call__(self, n: int) -> int:
                return n

        run = Callable_()
        alive = weakref.ref(run)
        bench.run_slots([(run, 1)])
        bench.calibrate(run, 1e-6)
        del run
        gc.collect()
        assert alive() is None

    def test_a_failed_run_does_not_disturb_the_end_of_the_interpreter(self, tmp_path: Path) -> None:
        script = """
            from loopgauge.harness.worker.engine import load_engine
            bench = load_engine()
            class Run:
                def __call__(self, n):
                    raise ValueError
                def __del__(self):
                    print("released")
            try:
                bench.run_slots([(Run(), 1)] * 3)
            except bench.SlotError as error:
                kept = error
            raise SystemExit(7)
        """
        result = run_script(script, tmp_path)
        assert (result.returncode, result.stdout.strip(), result.stderr) == (7, "released", "")


class TestCalibrate:
    @pytest.mark.parametrize("wall", [False, True])
    def test_the_answer_was_tried_and_is_a_multiple_of_the_grain(self, wall: bool) -> None:
        tried: list[int] = []

        def run(n: int) -> int:
            tried.append(n)
            end = bench.thread_cpu_ns() + n * 1000
            while bench.thread_cpu_ns() < end:
                pass
            return n

        found = bench.calibrate(run, 0.001, grain=7, wall=wall)
        assert found == tried[-1]
        assert all(n % 7 == 0 for n in tried)

    def test_what_the_callable_raises_is_raised(self) -> None:
        def fail(n: int) -> int:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            bench.calibrate(fail, 0.001)
        with pytest.raises(bench.WrongCount):
            bench.calibrate(lambda n: n + 1, 0.001)

    @pytest.mark.parametrize("min_time", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_time_that_makes_no_sense_is_refused(self, min_time: float) -> None:
        with pytest.raises(ValueError, match="min_time"):
            bench.calibrate(exactly, min_time)

    def test_a_grain_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="grain"):
            bench.calibrate(exactly, 0.001, grain=0)


def test_the_environment_of_a_shell_does_not_reach_google_benchmark(tmp_path: Path) -> None:
    script = """
        import os
        from loopgauge.harness.worker.engine import load_engine
        bench = load_engine()
        done = []
        bench.run_slots([(lambda n: n, 2)] * 3, None, lambda slot, *times: done.append(slot))
        print(done, bench.calibrate(lambda n: n, 1e-9), sorted(os.environ))
    """
    result = run_script(
        script,
        tmp_path,
        BENCHMARK_REPETITIONS="3",
        BENCHMARK_ENABLE_RANDOM_INTERLEAVING="true",
        BENCHMARK_DRY_RUN="true",
        BENCHMARK_LIST_TESTS="true",
        BENCHMARK_FILTER="nothing",
        BENCHMARK_OUT="out.json",
        BENCHMARK_MIN_TIME="1000",
    )
    assert result.stderr == ""
    assert result.stdout.startswith("[0, 1, 2] 1 ")
    assert "BENCHMARK" not in result.stdout
    assert list(tmp_path.iterdir()) == []


class TestChain:
    @pytest.mark.parametrize("n", [1, 2, 1000])
    def test_it_is_called_n_times_and_then_says_so(
        self, loop: asyncio.AbstractEventLoop, n: int
    ) -> None:
        scheduled: list[object] = []

        def call_soon(callback: Any) -> None:
            scheduled.append(callback)
            loop.call_soon(callback)

        future = loop.create_future()
        chain = bench.Chain(call_soon, n, lambda: future.set_result(None))
        loop.call_soon(chain)
        loop.run_until_complete(future)
        assert scheduled == [chain] * (n - 1)
        assert chain.remaining == 0

    def test_a_call_too_many_is_seen(self) -> None:
        done: list[None] = []
        chain = bench.Chain(lambda callback: None, 1, lambda: done.append(None))
        chain()
        chain()
        assert chain.remaining == -1
        assert done == [None]

    def test_errors_of_what_it_calls_come_through(self) -> None:
        def fail(*arguments: object) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            bench.Chain(fail, 2, print)()
        with pytest.raises(ZeroDivisionError):
            bench.Chain(print, 1, fail)()

    def test_arguments_are_checked(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            bench.Chain(print, 0, print)
        with pytest.raises(TypeError):
            bench.Chain(None, 1, print)
        with pytest.raises(TypeError):
            bench.Chain(print, 1)
        with pytest.raises(TypeError, match="no arguments"):
            bench.Chain(print, 1, print)(1)

    def test_a_cycle_through_it_is_collected(self) -> None:
        class Owner:
            chain: Any

            def call_soon(self, callback: Any) -> None:
                pass

        owner = Owner()
        owner.chain = bench.Chain(owner.call_soon, 1, print)
        alive = weakref.ref(owner)
        del owner
        gc.collect()
        assert alive() is None


class TestOtherCallbacks:
    def test_counter_counts_whatever_it_is_called_with(
        self, loop: asyncio.AbstractEventLoop
    ) -> None:
        counter = bench.Counter()
        for arguments in [(), (1,), (1, 2, 3)]:
            loop.call_soon(counter, *arguments)
        loop.call_soon(loop.stop)
        loop.run_forever()
        counter(key="word")
        assert counter.count == 4
        counter.count = 0
        assert counter.count == 0

    def test_noop_takes_anything(self) -> None:
        assert bench.noop() is None
        assert bench.noop(1, 2, 3) is None

    def test_spin_burns(self) -> None:
        start = bench.thread_cpu_ns()
        bench.spin(1_000_000)
        assert bench.thread_cpu_ns() > start
        assert 0 < bench.spin_cost_ns() < 1000
        with pytest.raises(OverflowError):
            bench.spin(-1)

    def test_clocks(self) -> None:
        for clock in (bench.monotonic_ns, bench.thread_cpu_ns, bench.process_cpu_ns):
            assert 0 < clock() <= clock()
