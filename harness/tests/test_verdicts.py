"""What the conformance suite found voids the figures that depend on it, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing.records import run_of
from rich.console import Console

from loopgauge.conformance.model import FAILING as SUITE_FAILING
from loopgauge.harness.cli.table import benchmark_block
from loopgauge.harness.comparison.arms import valid_cost
from loopgauge.harness.errors import NotARunFile
from loopgauge.harness.formats.figures import series_of
from loopgauge.harness.history.entries import Context, entries_of_arm
from loopgauge.harness.model import Benchmark, Event
from loopgauge.harness.summary import RunSummary, summarise
from loopgauge.harness.verdicts import FAILING, FOLDER, Evidence, Verdict, read_verdicts

COSTS = {"asyncio": [1000.0] * 8, "fast": [500.0] * 8, "asyncio~aa": [1000.0] * 8}
BENCHMARK = Benchmark(id="fake.work", scenario="fake.work", rules=["TIME-007", "HNDL-001"])


def verdict(**fields: Any) -> Verdict:
    """Of the arm `fast` as run_of makes it."""
    given = {
        "rule": "TIME-007",
        "case": "TIME-007.early",
        "level": "MUST",
        "verdict": "FAIL",
        "reason": "fired 0.9 ms early",
        "factory": "x:y",
        "python": "3",
    }
    return Verdict(**{**given, **fields})


def summary_with(
    folder: Path,
    *verdicts: Verdict,
    events: Sequence[Event] = (),
    irrelevant: Sequence[str] = (),
) -> RunSummary:
    benchmark = msgspec.structs.replace(BENCHMARK, irrelevant=[*irrelevant])
    run = run_of(COSTS, benchmark, events=events)
    for arm in run.header.arms:
        arm.factory = "x:y" if arm.label == "fast" else "asyncio:SelectorEventLoop"
    folder.mkdir(exist_ok=True)
    lines = [msgspec.json.encode(verdict) for verdict in verdicts]
    (folder / "1.jsonl").write_bytes(b"\n".join([b'{"record":"header","schema":9}', *lines]))
    return summarise(run, verdicts=read_verdicts(folder))


def status_of_fast(summary: RunSummary) -> tuple[str, str]:
    [fast] = [arm for arm in summary.benchmarks[0].arms if arm.arm == "fast"]
    return fast.status, fast.reason


def test_a_broken_rule_voids_the_result(tmp_path: Path) -> None:
    summary = summary_with(tmp_path, verdict())
    assert status_of_fast(summary) == ("invalid", "breaks TIME-007 (fired 0.9 ms early)")
    assert summary.benchmarks[0].fastest == ["asyncio"]
    assert summary.conformance == "conformance joined for fast; not run for asyncio"
    assert [arm.broken for arm in summary.benchmarks[0].arms] == [[], ["TIME-007.early"], []]


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": "PASS"},
        {"verdict": "NON_STRICT"},
        {"level": "SHOULD"},
        {"rule": "TIME-001"},
        {"version": "2"},
        {"python": "3.1"},
        {"factory": "z:y"},
        {"build_hash": "other"},
        {"verdict": "LEAK"},
    ],
    ids=str,
)
def test_what_does_not_concern_it_voids_nothing(tmp_path: Path, other: dict[str, str]) -> None:
    assert status_of_fast(summary_with(tmp_path, verdict(**other))) == ("ok", "")


def test_cases_on_which_the_figure_does_not_rest_void_nothing(tmp_path: Path) -> None:
    """They stay broken promises, and are counted."""
    beside = ["TIME-007.early-*", "*-tls"]
    for case, status in (
        ("TIME-007.early", "invalid"),
        ("TIME-007.early-at", "ok"),
        ("TIME-007.order-tls", "ok"),
        ("TIME-007.order-tcp", "invalid"),
    ):
        summary = summary_with(tmp_path, verdict(case=case), irrelevant=beside)
        assert status_of_fast(summary)[0] == status, case
        [fast] = [arm for arm in summary.promises if arm.arm == "fast"]
        assert fast.must_failing == 1
        assert [broken.case for broken in fast.broken] == [case]


def test_a_leak_is_counted_all_the_same(tmp_path: Path) -> None:
    summary = summary_with(tmp_path, verdict(verdict="LEAK"))
    [fast] = [arm for arm in summary.promises if arm.arm == "fast"]
    assert fast.must_failing == 1


def test_a_newer_verdict_replaces_an_older_one(tmp_path: Path) -> None:
    summary = summary_with(tmp_path, verdict(), verdict(verdict="PASS"))
    assert status_of_fast(summary) == ("ok", "")


def test_without_verdicts_nobody_is_blamed(tmp_path: Path) -> None:
    summary = summarise(run_of(COSTS, BENCHMARK), verdicts=read_verdicts(tmp_path / FOLDER))
    assert status_of_fast(summary) == ("ok", "")
    assert summary.conformance == "conformance not run"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "2.jsonl").write_text('{"record":"verdict"}\n')
    with pytest.raises(NotARunFile, match=r"2\.jsonl, line 1"):
        read_verdicts(tmp_path)


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    """Of a run that was killed, or is still writing: what is measured meanwhile must not fail."""
    whole = msgspec.json.encode(verdict())
    (tmp_path / "2.jsonl").write_bytes(whole + b"\n" + whole[:40])
    run = run_of(COSTS, BENCHMARK)
    for arm in run.header.arms:
        arm.factory = "x:y" if arm.label == "fast" else "asyncio:SelectorEventLoop"
    summary = summarise(run, verdicts=read_verdicts(tmp_path))
    assert status_of_fast(summary)[0] == status_of_fast(summary_with(tmp_path / "a", verdict()))[0]
    assert status_of_fast(summary)[0] != "ok"


def test_promises_are_counted_as_the_suite_counts_them(tmp_path: Path) -> None:
    """Beside the speed of a loop: its MUST cases, those that fail, and what was seen."""
    seen = Evidence(
        observations=[("fired", "yes", "yes"), ("delay", "0.01 to 0.02", "0.0091")],
        traceback="Traceback ...\nMismatch: delay",
    )
    summary = summary_with(
        tmp_path,
        verdict(reason="delay: wanted 0.01 to 0.02, observed 0.0091", evidence=seen),
        verdict(case="TIME-007.late", verdict="PASS"),
        verdict(case="LIFE-001.absent", rule="LIFE-001", verdict="UNIMPLEMENTED"),
        verdict(case="LIFE-002.new", rule="LIFE-002", verdict="NOT_APPLICABLE"),
        verdict(case="LIFE-003.odd", rule="LIFE-003", verdict="HARNESS"),
        verdict(case="SOON-001.order", rule="SOON-001", level="SHOULD"),
        verdict(case="test_x", rule="", level="", lane="cpython"),
    )
    unknown, fast = summary.promises
    assert (unknown.arm, unknown.known, unknown.must) == ("asyncio", False, 0)
    assert (fast.arm, fast.known) == ("fast", True)
    assert (fast.must, fast.must_failing, fast.should, fast.should_failing) == (3, 2, 1, 1)
    assert [case.case for case in fast.broken] == ["LIFE-001.absent", "TIME-007.early"]
    assert fast.broken[1].lines == ["delay: wanted 0.01 to 0.02, observed 0.0091"]


def test_failing_is_what_the_suite_calls_so() -> None:
    """The words are in its files; the harness imports nothing of it."""
    assert {*FAILING} == {*SUITE_FAILING}


def test_who_breaks_a_promise_keeps_its_time_and_is_ranked_nowhere(tmp_path: Path) -> None:
    summary = summary_with(tmp_path, verdict())
    [benchmark] = summary.benchmarks
    [fast] = [arm for arm in benchmark.arms if arm.arm == "fast"]
    assert (fast.set_aside, fast.values) == (True, [500.0] * 8)
    assert [fast.cost_low, fast.cost, fast.cost_high] == [pytest.approx(500.0)] * 3
    assert (fast.ratio, fast.to_fastest, fast.verdict, fast.ratios) == (None, None, "", [])
    assert benchmark.fastest == ["asyncio"]
    for family in [*summary.families, *summary.waits]:
        assert "fast" not in family.fastest
        assert [arm.ratio for arm in family.arms if arm.arm == "fast"] == [None]


def test_nothing_takes_its_time_for_a_valid_one(tmp_path: Path) -> None:
    summary = summary_with(tmp_path, verdict())
    [benchmark] = summary.benchmarks
    [fast] = [arm for arm in benchmark.arms if arm.arm == "fast"]
    run = run_of(COSTS, BENCHMARK)
    assert [one.arm.arm for one in series_of(run, summary, alone=False)] == [
        "asyncio",
        "asyncio~aa",
    ]
    assert valid_cost(fast) is None
    entries = [*entries_of_arm(benchmark, fast, Context(run.header, "", {}))]
    assert {(one.value, one.status) for one in entries} == {(None, "invalid")}
    console = Console(width=140, file=StringIO(), record=True)
    console.print(benchmark_block(benchmark, 140))
    text = console.export_text()
    assert "fired 0.9 ms early" in text
    assert "500 ns" not in text


def test_a_failed_check_leaves_no_time_whatever_else_is_broken(tmp_path: Path) -> None:
    event = Event(event="invalid", arm="fast", benchmark="fake.work", reason="9 of 10 came")
    summary = summary_with(tmp_path, verdict(), events=[event])
    assert status_of_fast(summary) == ("invalid", "9 of 10 came")
    [fast] = [arm for arm in summary.benchmarks[0].arms if arm.arm == "fast"]
    assert (fast.set_aside, fast.broken, fast.values) == (False, [], [])


def test_a_wrong_answer_is_told_and_not_what_was_left_behind(tmp_path: Path) -> None:
    leak = verdict(case="TIME-007.a", verdict="LEAK", reason="descriptor 7")
    summary = summary_with(tmp_path, leak, verdict(case="TIME-007.b"))
    assert status_of_fast(summary)[1] == "breaks TIME-007 (fired 0.9 ms early)"
    [fast] = [arm for arm in summary.benchmarks[0].arms if arm.arm == "fast"]
    assert fast.broken == ["TIME-007.b"]
