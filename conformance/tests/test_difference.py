from __future__ import annotations

from pathlib import Path

import pytest

from loopgauge.conformance.difference import compare
from loopgauge.conformance.model import Header, Kind, Verdict
from loopgauge.conformance.store import Results


def run(*verdicts: tuple[str, Kind], loop: str = "l", level: str = "MUST") -> Results:
    header = Header(created="2026-11-22T01:08:37+00:00", python="3.13.0")
    made = [
        Verdict(loop=loop, rule="R-1", case=case, level=level, verdict=kind, factory="m:f",
                python="3.13.0", reason=f"{case} is {kind}")
        for case, kind in verdicts
    ]  # fmt: skip
    return Results(Path("r.jsonl"), header, made)


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("PASS", "FAIL", "regression"),
        ("NON_STRICT", "LEAK", "regression"),
        ("NOT_APPLICABLE", "CRASH", "regression"),
        ("FAIL", "PASS", "repaired"),
        ("UNIMPLEMENTED", "NON_STRICT", "repaired"),
        ("FAIL", "NOT_APPLICABLE", "changed"),
        ("FAIL", "HANG", "changed"),
        ("PASS", "HARNESS", "changed"),
        ("PASS", "INFO", "changed"),
    ],
)
def test_the_way_it_changed(before: Kind, after: Kind, way: str) -> None:
    (change,) = compare(run(("a", before)), run(("a", after))).changes
    assert change.way == way
    assert change.reason == f"a is {before if way == 'repaired' else after}"


def test_what_is_the_same_is_counted() -> None:
    found = compare(run(("a", "FAIL"), ("b", "PASS")), run(("a", "FAIL"), ("b", "PASS")))
    assert (found.changes, found.same) == ([], 2)


def test_regressions_come_first_and_must_before_should() -> None:
    should = run(("z", "PASS"), ("y", "FAIL"), level="SHOULD")
    must = run(("m", "PASS"), ("gone", "PASS"))
    old = Results(Path("o"), must.header, [*should.verdicts, *must.verdicts])
    should = run(("z", "FAIL"), ("y", "PASS"), level="SHOULD")
    must = run(("m", "FAIL"), ("new", "FAIL"))
    new = Results(Path("n"), must.header, [*should.verdicts, *must.verdicts])
    found = compare(old, new)
    assert [(change.case, change.way) for change in found.changes] == [
        ("m", "regression"),
        ("z", "regression"),
        ("y", "repaired"),
        ("new", "added"),
        ("gone", "removed"),
    ]
    assert found.same == 0


def test_loops_are_told_apart() -> None:
    found = compare(run(("a", "PASS"), loop="x"), run(("a", "FAIL"), loop="y"))
    assert [change.way for change in found.changes] == ["added", "removed"]
