"""The gate's own file after a kill, and what a gate that was not finished comes to."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from loopgauge.harness.errors import ResumeMismatch
from loopgauge.harness.exit_codes import ExitCode
from loopgauge.harness.gate import counting, timing
from loopgauge.harness.gate.decision import decide, exit_code, expected
from loopgauge.harness.gate.ground import Here
from loopgauge.harness.gate.model import (
    Decision,
    Expected,
    GateHeader,
    GateStep,
    Settings,
    Side,
    Step,
)
from loopgauge.harness.gate.session import go_on
from loopgauge.harness.gate.store import FILE, GateFile, append, has_records, read_gate


def side(name: str) -> Side:
    return Side(name="head", origin="factory", given=name, loop=name, executable="python")


def header(**settings: bool) -> GateHeader:
    return GateHeader(
        gate="g",
        created="2026-11-22T04:15:00Z",
        seed=1,
        settings=Settings(**settings),  # type: ignore[arg-type]
        base=side("mine:L"),
        head=side("mine:M"),
        benchmarks=["throughput.sleep0"],
    )


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_what_follows_a_cut_line_can_be_read(tmp_path: Path, cut: int) -> None:
    """Cut by one it lacks its newline only, and counts."""
    append(tmp_path, header())
    append(tmp_path, GateStep(step="counts", state="begun"))
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-cut])
    append(tmp_path, GateStep(step="counts", state="done"))
    states = [step.state for step in read_gate(tmp_path).steps]
    assert states == (["begun", "done"] if cut == 1 else ["done"])


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        ([], ["promises", "counts", "timing", "confirmation"]),
        (["promises", "counts"], ["timing", "confirmation"]),
        (["promises", "counts", "timing", "confirmation"], []),
    ],
)
def test_a_gate_that_was_interrupted_is_no_pass(
    tmp_path: Path, done: list[Step], missing: list[str]
) -> None:
    steps = [GateStep(step=step, state="done") for step in done]
    result = decide(GateFile(tmp_path, header(), steps))
    assert [line.partition(":")[0] for line in result.left_out] == missing


def test_what_was_not_asked_is_not_missing(tmp_path: Path) -> None:
    asked = header(conformance=False, timing=False)
    result = decide(GateFile(tmp_path, asked, [GateStep(step="counts", state="done")]))
    assert result.left_out == []


def test_a_step_whose_header_met_a_full_disk_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is there, and empty."""
    path = tmp_path / "timing.jsonl"
    path.touch()
    assert not has_records(path)
    begun: list[Path] = []
    monkeypatch.setattr(
        "loopgauge.harness.manager.run_subject",
        lambda request, *rest, **more: begun.append(request.out),
    )
    nothing = type("Nothing", (), {"benchmarks": []})
    monkeypatch.setattr(counting, "replace", lambda subject, **more: subject)
    timing.measure_first(nothing, Settings(), 1, path, lambda progress: None, Here())  # type: ignore[arg-type]
    counting.count(nothing, [], path, lambda progress: None, Here())  # type: ignore[arg-type]
    assert begun == [path, path]


@pytest.mark.parametrize("what", ["executable", "source"])
def test_a_build_that_was_dropped_cannot_be_taken_up(tmp_path: Path, what: str) -> None:
    begun = header()
    begun.base.executable = begun.head.executable = sys.executable
    setattr(begun.head, what, str(tmp_path / "builds/0123/venv"))
    with pytest.raises(ResumeMismatch, match=r"head .* is no longer there: .*0123"):
        go_on(GateFile(tmp_path, begun), lambda step: nullcontext(print), print)


def test_kept_promises_stand_for_no_benchmark() -> None:
    repaired = Decision(tier="promises", subject="a.b", verdict="REPAIRED")
    added = Decision(tier="timing", subject="c.d", verdict="ADDED")
    assert exit_code([repaired, added], []) is ExitCode.NOTHING_MEASURED


@pytest.mark.parametrize(("change", "verdict"), [(0.05, "EXPECTED"), (0.2, "REGRESSED")])
def test_one_of_several_expected_changes_covers(change: float, verdict: str) -> None:
    announced = [
        Expected(benchmark="a.*", reason="all", expires="2027-01-01", at_most=0.02),
        Expected(benchmark="a.b", reason="this", expires="2027-01-01", at_most=0.1),
    ]
    one = Decision(tier="timing", subject="a.b", verdict="REGRESSED", change=change)
    made = expected(one, Settings(expected=announced), date(2026, 11, 22))
    assert made.verdict == verdict
    assert "this" in made.reason
