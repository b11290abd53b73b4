"""What counts say where a side has none."""

from __future__ import annotations

from manager_testing.records import run_of

from loopgauge.harness.gate import counting
from loopgauge.harness.gate.model import Settings
from loopgauge.harness.model import Event, Metric
from loopgauge.harness.store import RunFile

NAME = "fake.work"


def counted(counts: dict[str, float], *events: Event, metric: str = "instructions") -> RunFile:
    file = run_of({"base": [], "head": [], "base~aa": []}, events=events)
    file.metrics = [
        Metric(benchmark=NAME, arm=arm, metric=metric, unit="per operation", value=value)
        for arm, value in counts.items()
    ]
    return file


def test_more_instructions_twice_are_a_regression() -> None:
    file = counted({"base": 1000.0, "head": 1005.0})
    (made,) = counting.decisions(file, file, Settings())
    assert (made.verdict, made.tier) == ("REGRESSED", "instructions")
    assert counting.left_out(file) == []


def test_a_head_that_is_wrong_is_no_pass() -> None:
    wrong = Event(event="invalid", benchmark=NAME, arm="head", reason="7 of 8 calls")
    file = counted({"base": 1000.0}, wrong)
    (made,) = counting.decisions(file, None, Settings())
    assert made.verdict == "BROKEN"
    assert "7 of 8 calls" in made.reason
    assert counting.left_out(file) == []


def test_a_base_that_was_wrong_is_repaired() -> None:
    wrong = Event(event="invalid", benchmark=NAME, arm="base", reason="7 of 8 calls")
    (made,) = counting.decisions(counted({"head": 1000.0}, wrong), None, Settings())
    assert made.verdict == "REPAIRED"


def test_what_died_under_a_tool_has_a_name() -> None:
    died = Event(event="left_out", benchmark=NAME, arm="head", reason="under strace 6 it crashed")
    assert counting.left_out(counted({"base": 1.0}, died)) == [
        "head in fake.work: under strace 6 it crashed"
    ]


def test_a_count_of_one_side_alone_is_told() -> None:
    file = counted({"base": 1000.0})
    assert counting.decisions(file, None, Settings()) == []
    assert counting.left_out(file) == ["instructions of fake.work were counted on one side only"]
