"""The Markdown table of a conformance run."""

from __future__ import annotations

from loopgauge.conformance.profiles import NAMES, Standing
from loopgauge.conformance.summary import LoopSummary, Summary
from loopgauge.reports.exports.promises import promises
from loopgauge.reports.wording import DASH


def loop(name: str, failing: int, **members: object) -> LoopSummary:
    state = "fails" if failing else "conforms"
    profiles = [
        Standing(
            profile=profile,
            state=state,
            must=40,
            must_failing=failing,
            should=9,
            should_passed=8,
        )
        for profile in NAMES
    ]
    return LoopSummary(loop=name, factory="x:y", version="1.0", profiles=profiles, **members)


def table(*loops: LoopSummary) -> list[str]:
    summary = Summary(
        python="3.14.8",
        created="2026-11-22T10:00:00",
        lanes=["rules", "cpython"],
        loops=[*loops],
    )
    return promises(summary).splitlines()


def test_the_most_faithful_comes_first() -> None:
    lines = table(loop("b", 3), loop("a", 0))
    assert lines[0] == "CPython 3.14.8, 0 questions to each loop, 2026-11-22."
    assert [line.split(" | ")[0] for line in lines[4:6]] == ["| a 1.0", "| b 1.0"]
    assert lines[4].count("kept") == len(NAMES)
    assert lines[5].count("3 of 40") == len(NAMES)
    assert "8 of 9" in lines[4]


def test_other_lanes_count_what_was_judged() -> None:
    counts = {"cpython": {"PASS": 10, "FAIL": 2, "INFO": 5, "NOT_APPLICABLE": 7}}
    assert table(loop("a", 0, verdicts=counts))[4].endswith("| 10 of 12 |")


def test_a_loop_that_is_not_there_has_no_numbers() -> None:
    gone = LoopSummary(loop="gone", factory="x:y", available=False, reason="no wheel")
    lines = table(gone, loop("a", 7))
    assert lines[5].startswith(f"| gone | {DASH} | {DASH}")
