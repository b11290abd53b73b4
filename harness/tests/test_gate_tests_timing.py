from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing.records import header, sample

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.exit_codes import ExitCode
from loopgauge.harness.gate import judging, looks, tests_timing, timing
from loopgauge.harness.gate.decision import decide
from loopgauge.harness.gate.model import GateHeader, GateStep, Settings, Side
from loopgauge.harness.gate.store import GateFile
from loopgauge.harness.model import Benchmark, Sample
from loopgauge.harness.store import read_run

Costs = dict[str, dict[str, float]]  # side -> test -> ns


def side(name: Any) -> Side:
    return Side(name=name, origin="factory", given=name, loop="asyncio", executable="python")


def gate(**settings: Any) -> GateHeader:
    return GateHeader(
        gate="g",
        created="2026-11-22T00:00:00Z",
        seed=4,
        settings=Settings(**settings),
        base=side("base"),
        head=side("head"),
        tests=["tests/bench"],
    )


class Starts:
    """Stands where pytest is started."""

    def __init__(self, costs: Costs, interrupt_at: int = -1, fails: str = "") -> None:
        self.costs = costs
        self.fails = fails
        self.interrupt_at = interrupt_at
        self.ran: list[tuple[int, str]] = []

    def __call__(
        self,
        side: Side,
        arguments: Sequence[str],
        number: int,
        out: Path,
        seed: int,
        told: Callable[[str], None],
    ) -> list[Sample]:
        if len(self.ran) == self.interrupt_at:
            raise KeyboardInterrupt
        self.ran.append((number, side.name))
        if self.fails:
            told(self.fails)
        found = self.costs[side.name]
        if not found:
            return []
        named = [Benchmark(id=name, scenario=name) for name in found]
        # A thousandth up and down, so that no two processes are equal.
        scale = 1 + (number % 5 - 2) / 1000
        samples = [
            sample(side.name, number, [cost * scale] * 4, name) for name, cost in found.items()
        ]
        lines = [header(["asyncio"], named), *samples]
        out.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        return samples


def measured(
    monkeypatch: pytest.MonkeyPatch, path: Path, tests: Starts, first: Path | None = None
) -> None:
    monkeypatch.setattr(tests_timing, "measure_round", tests)
    if first is None:
        tests_timing.measure_first(gate(), path, lambda progress: None)
    else:
        tests_timing.measure_again(gate(), read_run(first), path, lambda progress: None)


def verdicts(first: Path, second: Path | None = None) -> dict[str, str]:
    again = read_run(second) if second else None
    return {
        one.subject: one.verdict for one in judging.decisions(read_run(first), again, Settings())
    }


def test_equal_tests_are_decided_at_the_first_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tests = Starts({"base": {"t": 1000}, "head": {"t": 1000}})
    measured(monkeypatch, tmp_path / "tests.jsonl", tests)
    assert verdicts(tmp_path / "tests.jsonl") == {"t": "EQUIVALENT"}
    first_look = looks.looks(looks.MOST)[0].size
    assert len(tests.ran) == 3 * first_look  # base twice: the twin


def test_the_sides_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tests = Starts({"base": {"t": 1000}, "head": {"t": 1000}})
    measured(monkeypatch, tmp_path / "tests.jsonl", tests)
    rounds = [tests.ran[at : at + 3] for at in range(0, len(tests.ran), 3)]
    assert all(len({number for number, _ in one}) == 1 for one in rounds)
    assert len({tuple(name for _, name in one) for one in rounds}) > 1


def test_a_slower_test_regresses_in_both_stages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tests = Starts({"base": {"t": 1000, "u": 1000}, "head": {"t": 1050, "u": 1000}})
    measured(monkeypatch, tmp_path / "one", tests)
    measured(monkeypatch, tmp_path / "two", tests, first=tmp_path / "one")
    assert verdicts(tmp_path / "one", tmp_path / "two") == {"t": "REGRESSED", "u": "EQUIVALENT"}
    assert len({s.round for s in read_run(tmp_path / "two").samples}) == timing.CONFIRMATION


def test_tests_of_one_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    costs: Costs = {"base": {"old": 1, "both": 1}, "head": {"new": 1, "both": 1}}
    measured(monkeypatch, tmp_path / "one", Starts(costs))
    assert verdicts(tmp_path / "one") == {"old": "REMOVED", "both": "EQUIVALENT", "new": "ADDED"}


def test_a_test_that_fails_on_both_sides_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    costs: Costs = {"base": {"t": 1000}, "head": {"t": 1000}}
    measured(monkeypatch, tmp_path / "tests.jsonl", Starts(costs, fails="tests fail: t.py::u"))
    steps = [GateStep(step=step, state="done") for step in ("tests timing", "tests confirmation")]
    file = GateFile(tmp_path, gate(conformance=False), steps)
    result = decide(file)
    assert [one.verdict for one in result.decisions] == ["EQUIVALENT"]
    assert sorted(result.left_out) == [
        f"{side} in pytest: tests fail: t.py::u" for side in ("base", "head")
    ]
    assert result.exit_code == ExitCode.LEFT_OUT


def test_no_test_measures_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasure, match="tests/bench"):
        measured(monkeypatch, tmp_path / "one", Starts({"base": {}, "head": {}}))
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("at", [4, 6, 11, 20])
def test_an_interrupted_stage_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int
) -> None:
    costs: Costs = {"base": {"t": 1000}, "head": {"t": 1000}}
    whole, before, after = Starts(costs), Starts(costs, interrupt_at=at), Starts(costs)
    measured(monkeypatch, tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        measured(monkeypatch, tmp_path / "cut", before)
    measured(monkeypatch, tmp_path / "cut", after)
    assert before.ran + after.ran == whole.ran
    seen = [(s.round, s.arm) for s in read_run(tmp_path / "cut").samples]
    assert seen == [(s.round, s.arm) for s in read_run(tmp_path / "whole").samples]
    assert len(seen) == len(set(seen))
