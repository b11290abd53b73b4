from __future__ import annotations

import pytest
from manager_testing.records import header

from loopgauge.harness.model import Plan
from loopgauge.harness.pacing import Pace


def plan(**fields: float) -> Plan:
    """Eight rounds of 9 s and 3 s of probe, in a budget of 75 s."""
    made = header().plan
    given = {"rounds": 8, "rounds_least": 6, "rounds_most": 10, "budget_s": 75, "expected_s": 72}
    for name, value in {**given, **fields}.items():
        setattr(made, name, value)
    return made


def rounds_done(made: Plan, round_s: float, before: int = 0) -> int:
    pace, done, measuring = Pace(made, before), before, 0.0
    while pace.wants(done, measuring, 3 + measuring):
        done, measuring = done + 1, measuring + round_s
    return done


@pytest.mark.parametrize(
    ("round_s", "expected"),
    [
        (9.0, 8),  # as expected
        (9.7, 8),  # a little late: the last planned round is not given up for that
        (11.0, 7),  # slow: within the budget and a tenth
        (20.0, 6),  # very slow: the least
        (7.5, 9),  # fast: more, within the budget
        (1.0, 10),  # the most
    ],
)
def test_the_clock_decides(round_s: float, expected: int) -> None:
    assert rounds_done(plan(), round_s) == expected


def test_a_plan_that_leaves_no_choice() -> None:
    assert rounds_done(plan(rounds_least=0, rounds_most=0), 100.0) == 8
    assert rounds_done(plan(rounds_least=0, rounds_most=0), 0.1) == 8


def test_a_resumed_run_counts_its_own_time() -> None:
    assert rounds_done(plan(), 9.0, before=7) == 10
    assert rounds_done(plan(), 9.0, before=10) == 10
