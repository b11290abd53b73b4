"""The floor is an arm like the others while it is measured, and no candidate when it is judged."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from manager_testing import runs
from manager_testing.records import header, run_of
from rich.console import Console

from loopgauge.harness import subject
from loopgauge.harness.cli.table import print_run
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Benchmark, Event
from loopgauge.harness.request import RunRequest
from loopgauge.harness.summary import summarise

ECHO = Benchmark(id="io.echo", scenario="io.echo", unit="message", floor=True)
PLAIN = Benchmark(id="fake.work", scenario="fake.work")
COSTS: dict[str, Any] = {
    "asyncio": [4000.0] * 8,
    "fast": [1050.0] * 8,
    "floor": [1000.0] * 8,
    "asyncio~aa": [4000.0] * 8,
}


def table(run: Any, width: int) -> str:
    out = io.StringIO()
    print_run(summarise(run), Console(file=out, width=width, markup=False))
    return " ".join(out.getvalue().split())


def test_only_scenarios_that_have_one_bring_it_along() -> None:
    echo = subject.resolve(RunRequest(benchmarks=[("io.tcp_echo", {})]))
    assert [arm.role for arm in echo.arms].count("floor") == 1
    assert echo.reference == "asyncio"
    [described] = echo.benchmarks
    assert described.floor
    sleep0 = subject.resolve(RunRequest(benchmarks=[("throughput.sleep0", {})]))
    assert "floor" not in [arm.role for arm in sleep0.arms]


def test_encryption_is_no_system_call_so_tls_has_none() -> None:
    tls = subject.resolve(RunRequest(benchmarks=[("io.tcp_echo", {"transport": "tls"})]))
    assert not tls.benchmarks[0].floor
    assert "floor" not in [arm.role for arm in tls.arms]


def test_it_takes_part_where_the_benchmark_has_one_only() -> None:
    arms = header(["asyncio", "floor", "asyncio~aa"]).arms
    roster = Roster(arms, [ECHO, PLAIN])
    assert "floor" in roster.together("io.echo")
    assert "floor" not in roster.together("fake.work")


def test_a_run_measures_it_in_the_same_processes(tmp_path: Any) -> None:
    floor = msgspec.structs.replace(runs.arm("floor"), role="floor")
    what = runs.subject([floor], [msgspec.structs.replace(ECHO, floor=True), PLAIN])
    run = runs.run(what, tmp_path / "run.jsonl")
    of_floor = [sample for sample in run.samples if sample.arm == "floor"]
    assert {sample.benchmark for sample in of_floor} == {"io.echo"}
    assert len(of_floor) == runs.ROUNDS
    assert run.complete
    beside = {s.process for s in run.samples if s.arm == "asyncio" and s.benchmark == "io.echo"}
    assert {sample.process for sample in of_floor} == beside


def test_it_is_no_candidate_and_never_the_fastest() -> None:
    [benchmark] = summarise(run_of(COSTS, ECHO)).benchmarks
    assert [arm.arm for arm in benchmark.arms] == ["asyncio", "fast", "asyncio~aa"]
    assert benchmark.fastest == ["fast"]
    assert benchmark.floor is not None
    assert benchmark.floor.cost == pytest.approx(1000)
    fast = next(arm for arm in benchmark.arms if arm.arm == "fast")
    assert fast.to_floor is not None
    assert fast.to_floor.estimate == pytest.approx(1.05)
    assert fast.to_fastest is not None
    assert fast.to_fastest.estimate == pytest.approx(1050 / 4000)


@pytest.mark.parametrize("width", [60, 80, 110, 140])
def test_the_table_says_what_it_is(width: int) -> None:
    text = table(run_of(COSTS, ECHO), width)
    assert "1.05x" in text
    assert "the floor: 1,000 ns in the same slots, for bare system" in text
    assert "\nfloor" not in text


def test_a_floor_that_failed_leaves_the_ratios_out() -> None:
    failed = Event(event="error", benchmark="io.echo", arm="floor", reason="no port was free")
    run = run_of(COSTS, ECHO, events=[failed])
    [benchmark] = summarise(run).benchmarks
    assert all(arm.to_floor is None for arm in benchmark.arms)
    assert benchmark.fastest == ["fast"]
    assert "the floor was not measured: ERROR: no port was free" in table(run, 120)


def test_a_benchmark_without_one_says_nothing_of_it() -> None:
    [benchmark] = summarise(run_of(COSTS, PLAIN)).benchmarks
    assert benchmark.floor is None
    assert "floor" not in table(run_of(COSTS, PLAIN), 120)
