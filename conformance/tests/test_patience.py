"""A loop that hangs often gets less time, and the same verdicts whoever asks, in whatever order."""

from __future__ import annotations

import random

import pytest

from loopgauge.conformance.case import all_cases
from loopgauge.conformance.model import Kind, Lane
from loopgauge.conformance.runner.messages import Outcome
from loopgauge.conformance.runner.patience import InOrder, case_seconds, limit
from loopgauge.conformance.runner.patience import test_seconds as seconds_of_a_test

CASES = [name for name, case in all_cases().items() if case.seconds == 10.0][:200]


def test_the_more_it_hangs_the_less_it_gets() -> None:
    assert [case_seconds(10.0, hangs) for hangs in (0, 7, 8, 59, 60, 999)] == [
        10.0, 10.0, 6.5, 6.5, 2.5, 2.5,
    ]  # fmt: skip
    assert case_seconds(1.0, 999) == 1.0
    assert [seconds_of_a_test(25.0, hangs) for hangs in (0, 3, 6, 999)] == [25.0, 12.5, 6.25, 2.5]
    assert limit("ecosystem", "ecosystem:any", 999) > 3600


def serial(lane: Lane, seconds: dict[str, float]) -> dict[str, Kind]:
    """What one process says, one case after the other, of a loop that needs so long for each."""
    verdicts: dict[str, Kind] = {}
    hangs = 0
    for name, needed in seconds.items():
        hung = needed > limit(lane, name, hangs)
        hangs += hung
        verdicts[name] = "HANG" if hung else "PASS"
    return verdicts


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_answers_changes_no_verdict(seed: int) -> None:
    """`known` hangs were counted before a batch was sent: some of those before it, or all."""
    draw = random.Random(seed)
    seconds = {name: draw.choice([0.1, 0.1, 3.0, 5.0, 7.0, 9.0, 60.0, 60.0]) for name in CASES}
    wanted = serial("rules", seconds)
    assert {*wanted.values()} == {"HANG", "PASS"}
    order = InOrder("rules", CASES, 0)
    found: dict[str, Kind] = {}
    batches = [CASES[at : at + 10] for at in range(0, len(CASES), 10)]
    draw.shuffle(batches)
    for batch in batches:
        hangs = draw.randint(0, order.before(batch[0]))
        for name in batch:
            hung = seconds[name] > limit("rules", name, hangs)
            hangs += hung
            outcome = Outcome(
                verdict="HANG" if hung else "PASS", duration_s=0 if hung else seconds[name]
            )
            if order.add(name, outcome):
                found[name] = outcome.verdict
    order.settle(lambda name, outcome: found.update({name: outcome.verdict}))
    assert found == wanted
    assert order.hung == [*wanted.values()].count("HANG")


def test_what_is_quick_stands_at_once() -> None:
    order = InOrder("rules", CASES, 0)
    assert order.add(CASES[-1], Outcome(verdict="PASS", duration_s=0.5))
    assert order.add(CASES[0], Outcome(verdict="HANG", duration_s=11.0))
    assert not order.add(CASES[1], Outcome(verdict="PASS", duration_s=8.0))
    settled: list[str] = []
    order.settle(lambda name, outcome: settled.append(f"{name} {outcome.verdict}"))
    assert settled == [f"{CASES[1]} PASS"]


def test_who_is_slow_after_many_hangs_has_hung_too() -> None:
    order = InOrder("rules", CASES, 100)
    outcome = Outcome(verdict="FAIL", reason="not seen", duration_s=5.0)
    assert not order.add(CASES[0], outcome)
    order.settle(lambda name, settled: None)
    assert outcome.verdict == "HANG"
    assert "FAIL: not seen" in outcome.reason
    assert order.hung == 1
