"""Native loops are arms like the others while they are measured, and candidates for nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing import runs
from manager_testing.records import header, run_of
from rich.console import Console

from loopgauge.harness import interpreter, subject
from loopgauge.harness.cli import outcome
from loopgauge.harness.cli.table import print_run
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Arm, Benchmark, Event, Interpreter
from loopgauge.harness.request import RunRequest
from loopgauge.harness.summary import summarise
from loopgauge.reports.exports.csv import csv_text
from loopgauge.reports.run import html

CHAIN = Benchmark(
    id="throughput.chain", scenario="throughput.chain", unit="callback", native=True, floor=True
)
PLAIN = Benchmark(id="fake.work", scenario="fake.work")
COSTS: dict[str, Any] = {
    "asyncio": [1000.0] * 8,
    "fast": [300.0] * 8,
    "floor": [5.0] * 8,
    "native:epoll": [10.0] * 8,
    "native:libuv": [250.0] * 8,
    "asyncio~aa": [1000.0] * 8,
}
NATIVES = ("native:epoll", "native:libuv")


def table(run: Any, width: int = 120) -> str:
    out = io.StringIO()
    print_run(summarise(run), Console(file=out, width=width, markup=False))
    return " ".join(out.getvalue().split())


def test_the_tier_brings_them_along() -> None:
    chain = [("throughput.call_soon_chain", {})]
    without = subject.resolve(RunRequest(benchmarks=chain))
    assert "native" not in [arm.role for arm in without.arms]
    asked = subject.resolve(RunRequest(benchmarks=chain, tiers=["python", "native"]))
    natives = {arm.label: arm for arm in asked.arms if arm.role == "native"}
    assert [*natives] == ["native:epoll", "native:libuv", "native:libevent", "native:asio"]
    assert natives["native:epoll"].available
    assert asked.benchmarks[0].native
    assert asked.reference == "asyncio"


def test_a_scenario_without_a_counterpart_brings_none() -> None:
    spawn = [("throughput.task_spawn", {})]
    asked = subject.resolve(RunRequest(benchmarks=spawn, tiers=["native"]))
    assert "native" not in [arm.role for arm in asked.arms]
    assert not asked.benchmarks[0].native


def test_what_was_not_built_is_unavailable_and_says_how_to_get_it() -> None:
    facts = {"name": "libuv", "path": "libuv", "version": "", "reason": "built without libuv"}
    python = subject.Python("3.14", Interpreter(executable="python", version="3.14.0"), {}, [facts])
    [arm] = subject.native_arms(python)
    assert (arm.label, arm.available, arm.reason) == ("native:libuv", False, "built without libuv")


def test_two_of_one_name_are_told_apart() -> None:
    facts = [
        {"name": "epoll", "path": "epoll", "version": "1", "reason": ""},
        {"name": "epoll", "path": "/x/libmine.so", "version": "2", "reason": ""},
    ]
    python = subject.Python("3.14", Interpreter(executable="python", version="3.14.0"), {}, facts)
    labels = [arm.label for arm in subject.native_arms(python)]
    assert labels == ["native:epoll", "native:/x/libmine.so"]


@pytest.mark.parametrize(
    ("content", "word"), [(b"no library", "invalid ELF header"), (None, "cannot open")]
)
def test_a_file_that_is_no_backend_gives_its_reason(
    tmp_path: Path, content: bytes | None, word: str
) -> None:
    path = tmp_path / "mine.so"
    if content is not None:
        path.write_bytes(content.ljust(4096))
    [*_, facts] = interpreter.natives([str(path)])
    assert word in facts["reason"]
    assert facts["name"] == str(path)


def test_a_library_of_something_else_is_no_backend() -> None:
    core = __import__("loopgauge._core", fromlist=["_core"]).__file__
    [*_, facts] = interpreter.natives([core])
    assert "no loopgauge_native_backend()" in facts["reason"]


def test_they_take_part_where_the_benchmark_has_them_only() -> None:
    arms = header(["asyncio", *NATIVES, "asyncio~aa"]).arms
    roster = Roster(arms, [CHAIN, PLAIN])
    assert set(NATIVES) <= set(roster.together(CHAIN.id))
    assert not set(NATIVES) & set(roster.together(PLAIN.id))


def test_a_run_measures_them_in_the_same_processes(tmp_path: Path) -> None:
    native = msgspec.structs.replace(runs.arm("native:epoll"), role="native")
    what = runs.subject([native], [CHAIN, PLAIN])
    run = runs.run(what, tmp_path / "run.jsonl")
    mine = [sample for sample in run.samples if sample.arm == "native:epoll"]
    assert {sample.benchmark for sample in mine} == {CHAIN.id}
    assert len(mine) == runs.ROUNDS
    beside = {s.process for s in run.samples if s.arm == "asyncio" and s.benchmark == CHAIN.id}
    assert {sample.process for sample in mine} == beside


def test_they_are_no_candidates_and_never_the_fastest() -> None:
    [benchmark] = summarise(run_of(COSTS, CHAIN)).benchmarks
    assert [arm.arm for arm in benchmark.arms] == ["asyncio", "fast", "asyncio~aa"]
    assert benchmark.fastest == ["fast"]
    core, uv = benchmark.natives
    assert core.to_core is None
    assert core.to_floor is not None
    assert core.to_floor.estimate == pytest.approx(2)
    assert uv.to_core is not None
    assert uv.to_core.estimate == pytest.approx(25)
    fast = benchmark.arms[1]
    assert fast.to_fastest is not None
    assert fast.to_fastest.estimate == pytest.approx(0.3)


def test_a_full_run_judges_them_in_no_family_of_tests() -> None:
    run = run_of(COSTS, CHAIN)
    run.header.setting = "full"
    assert summarise(run).benchmarks[0].fastest == ["fast"]


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_the_table_shows_them_apart(width: int) -> None:
    text = table(run_of(COSTS, CHAIN), width)
    loops, natives = text.split("native loop")
    assert "native:epoll" not in loops
    assert "native:libuv 250 ns 25.0x" in natives
    assert "2.00x" in natives


def test_one_that_failed_says_so_and_the_others_stay() -> None:
    failed = Event(
        event="invalid", benchmark=CHAIN.id, arm="native:libuv", reason="9 of 10 tasks ran"
    )
    run = run_of(COSTS, CHAIN, events=[failed])
    text = table(run)
    assert "native:libuv INVALID 9 of 10 tasks ran" in text
    assert outcome.left_out(summarise(run), []) == ["native:libuv invalid"]


def test_one_that_was_asked_for_and_is_not_built_is_left_out() -> None:
    run = run_of(COSTS, CHAIN)
    arms: list[Arm] = run.header.arms
    uv = next(arm for arm in arms if arm.label == "native:libuv")
    uv.available, uv.reason = False, "built without libuv (install libuv1-dev and rebuild)"
    assert "native:libuv unavailable built without libuv (install libuv1-dev" in table(run)
    assert outcome.left_out(summarise(run), []) == ["native:libuv unavailable"]
    assert outcome.exit_code(summarise(run), []) == 6


def test_page_and_csv_carry_them() -> None:
    summary = summarise(run_of(COSTS, CHAIN))
    assert "throughput.chain,cpu,callback,lower,native:libuv" in csv_text([summary])
    assert "native:libuv" in html.page([summary])


def test_the_table_says_what_the_harness_adds() -> None:
    run = run_of(COSTS, CHAIN)
    for sample in run.samples:
        if sample.arm == "native:epoll":
            sample.harness_ns = 0.25
        if sample.arm == "native:libuv":
            sample.harness_ns = 1.5
    assert "the harness: 0.25 ns of each operation of native:epoll" in table(run)
    assert "the harness" not in table(run_of(COSTS, CHAIN))
