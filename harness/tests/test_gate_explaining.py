"""Which changes of a gate are explained, and that nothing is decided by it. No tool runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loopgauge.harness import explanation
from loopgauge.harness.errors import InterpreterUnusable
from loopgauge.harness.explained import Anatomy, Cost, Explanation
from loopgauge.harness.gate import decision, explaining, gathering, ground, session
from loopgauge.harness.gate.model import Decision, GateHeader, GateResult, Settings, Side, Verdict
from loopgauge.harness.gate.store import GateFile, append, read_gate
from loopgauge.harness.model import Arm, Benchmark, Environment, Interpreter
from loopgauge.harness.subject import Subject

BENCHMARKS = ["a.one", "a.two", "a.three", "a.four", "a.five"]


def decided(subject: str, verdict: Verdict, change: float, tier: Any = "timing") -> Decision:
    return Decision(tier=tier, subject=subject, verdict=verdict, change=change)


def header(**settings: Any) -> GateHeader:
    base, head = (
        Side(name=name, origin="factory", given=name, loop=name, executable="python")
        for name in ("base", "head")
    )
    return GateHeader(gate="g", created="2026-11-22T04:15:00Z", seed=1, benchmarks=BENCHMARKS,
                      settings=Settings(**settings), base=base, head=head)  # fmt: skip


def anatomy(arm: str, costs: dict[str, float]) -> Anatomy:
    functions = [Cost(name=n, file="x.so", value=v, share=0.5) for n, v in costs.items()]
    return Anatomy(arm=arm, loop=arm, python="3.13", functions=functions)


def explained(benchmark: str) -> Explanation:
    return Explanation(
        benchmark=Benchmark(id=benchmark, scenario=benchmark),
        operation="op",
        command=["bench", "gate"],
        python=Interpreter(executable="python", version="3.13.0"),
        created="",
        machine="",
        method="",
        loops=[anatomy("base", {"f": 10, "g": 5}), anatomy("head", {"f": 11, "h": 9})],
    )


def subject() -> Subject:
    arms = [
        Arm(label=label, loop=label, factory="x:y", python="3.13", role=role)
        for label, role in (("base", "reference"), ("head", "candidate"), ("base~aa", "aa"))
    ]
    benchmarks = [Benchmark(id=name, scenario=name) for name in BENCHMARKS]
    return Subject(arms, benchmarks, Environment(), None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was explained, in its order; of the arms base and head."""
    found: list[str] = []

    def explain(what: Subject, benchmark: Benchmark, arms: list[Arm], *_: object) -> Explanation:
        assert [arm.label for arm in arms] == ["base", "head"]
        found.append(benchmark.id)
        return explained(benchmark.id)

    monkeypatch.setattr(explanation, "explain_arms", explain)
    return found


def test_the_worst_changes_come_first_and_the_same_is_left_alone():
    found = explaining.changed(
        [
            decided("a.one", "IMPROVED", -0.5),
            decided("a.two", "REGRESSED", 0.02),
            decided("a.two", "REGRESSED", 0.3, "instructions"),
            decided("a.three", "REGRESSED", 0.1),
            decided("a.four", "EQUIVALENT", 0.9),
            decided("a.five", "EXPECTED", 0.9),
            decided("tests/bench::one", "REGRESSED", 2.0),
        ],
        header(),
    )
    assert found == ["a.two", "a.three", "a.five"]


def test_what_is_explained_is_not_explained_again(tmp_path: Path, asked: list[str]) -> None:
    path = tmp_path / "explanation.jsonl"
    explaining.explain(subject(), ["a.two", "a.one"], path, lambda progress: None)
    assert asked == ["a.two", "a.one"]
    with path.open("ab") as file:  # killed while it wrote
        file.write(b'{"record":"explanation","benchm')
    explaining.explain(subject(), ["a.two", "a.five"], path, lambda progress: None)
    assert asked == ["a.two", "a.one", "a.five"]
    found, problem = explaining.read(path)
    assert ([one.benchmark.id for one in found], problem) == (["a.two", "a.one", "a.five"], "")


def test_functions_are_compared_the_largest_difference_first(tmp_path: Path) -> None:
    gate = GateFile(tmp_path, header())
    (tmp_path / explaining.FILE).write_bytes(explaining.line_of(explained("a.one")))
    (found,) = gathering.gather(gate).explained
    assert [(part.name, part.change) for part in found.functions] == [
        ("h", 9.0), ("g", -5.0), ("f", 1.0),
    ]  # fmt: skip


def test_files_of_two_pythons_are_the_same_files():
    found = explained("a.one")
    for side, version in zip(found.loops, ("3.11", "3.13"), strict=True):
        files = (f"libpython{version}.so.1.0", f"x.cpython-{version.replace('.', '')}-linux.so")
        side.functions = [Cost(name="f", file=it, value=float(version[2:]), share=0.5)
                          for it in (*files, files[0])]  # fmt: skip
    assert [(part.file, part.base, part.head) for part in gathering.compared(found).functions] == [
        ("libpython3.13.so.1.0", 22.0, 26.0),
        ("x.cpython-313-linux.so", 11.0, 13.0),
    ]


def test_a_side_without_functions_is_no_difference():
    found = explained("a.one")
    found.loops[1].functions = []
    assert gathering.compared(found).functions == []


@contextmanager
def silent(step: str) -> Iterator[Any]:
    yield lambda progress: None


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> GateResult:
    """A gate whose steps find nothing, and whose decisions are made by hand."""
    made = header(conformance=False, **settings)
    worse = GateResult(exit_code=1, decisions=[decided("a.one", "REGRESSED", 0.1)])
    decide = decision.decide

    def by_hand(gate: GateFile) -> GateResult:
        worse.notes = [note for note in decide(gate).notes if note.startswith("not explained")]
        return worse

    monkeypatch.setattr(decision, "decide", by_hand)
    append(folder, made)
    going = session.Session(
        GateFile(folder, made), subject(), silent, lambda line: None, ground.Here()
    )
    for step in ("_counts", "_timing", "_confirmation"):
        monkeypatch.setattr(going, step, lambda: None)
    return going.run()


def test_a_regression_is_explained_after_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    result = run(tmp_path, monkeypatch)
    assert (result.exit_code, asked) == (1, ["a.one"])
    assert read_gate(tmp_path).state("explanation") == "done"


@pytest.mark.parametrize("settings", [{"explain": False}, {"deterministic": False}])
def test_an_explanation_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], settings: dict[str, bool]
) -> None:
    run(tmp_path, monkeypatch, **settings)
    assert asked == []
    assert read_gate(tmp_path).state("explanation") == ""


def test_an_explanation_that_fails_is_a_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Explanation:
        raise InterpreterUnusable("python cannot count: it is gone")

    monkeypatch.setattr(explanation, "explain_arms", broken)
    result = run(tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert result.notes == ["not explained: python cannot count: it is gone"]
    assert result.left_out == []


def test_a_result_is_on_the_disk_before_it_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Explanation:
        raise KeyboardInterrupt

    monkeypatch.setattr(explanation, "explain_arms", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, monkeypatch)
    found = read_gate(tmp_path)
    assert found.result is not None
    assert found.result.exit_code == 1
    assert found.state("explanation") == "interrupted"
