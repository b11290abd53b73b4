from __future__ import annotations

import math

import numpy as np
import pytest

from loopgauge.harness.gate import looks


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(64, [8, 16, 32, 64]), (40, [10, 20, 40]), (31, [15, 31]), (15, [15]), (8, [8]), (3, [8])],
)
def test_every_look_is_twice_the_one_before(most: int, sizes: list[int]) -> None:
    assert [look.size for look in looks.looks(most)] == sizes


@pytest.mark.parametrize("most", [8, 20, 64, 100])
def test_all_looks_together_spend_alpha(most: int) -> None:
    plan = looks.looks(most)
    assert math.fsum(look.alpha for look in plan) == pytest.approx(looks.ALPHA)
    assert all(look.alpha > 0 for look in plan)


def test_the_first_look_can_decide() -> None:
    """With 8 processes the smallest one-sided p-value is 1/256."""
    assert looks.looks(looks.MOST)[0].alpha > 2**-looks.LEAST


def test_nothing_is_said_before_the_first_look() -> None:
    plan = looks.looks(64)
    assert looks.first_call(np.full(7, 0.1), 0.01, plan) is None


def test_what_comes_after_the_decision_changes_nothing() -> None:
    plan = looks.looks(64)
    early = looks.first_call(np.linspace(0.02, 0.03, 8), 0.01, plan)
    later = looks.first_call(np.append(np.linspace(0.02, 0.03, 8), np.full(30, -1.0)), 0.01, plan)
    assert early == later
    assert early is not None
    assert (early.call, early.size) == ("worse", 8)


def test_values_between_two_looks_wait_for_the_next() -> None:
    plan = looks.looks(64)
    wide = np.linspace(-0.1, 0.1, 8)
    judged = looks.first_call(np.append(wide, np.full(7, 0.5)), 0.01, plan)
    assert judged is not None
    assert (judged.call, judged.size) == ("open", 8)


@pytest.mark.parametrize(
    ("low", "high", "call"),
    [
        (0.011, 0.03, "worse"),
        (-0.03, -0.011, "better"),
        (-0.009, 0.009, "equivalent"),
        (0.0, 0.02, "open"),
        (0.009, 0.011, "open"),
        (-math.inf, math.inf, "open"),
    ],
)
def test_an_interval_decides_by_the_margin(low: float, high: float, call: str) -> None:
    assert looks.call_of(low, high, 0.01) == call


def test_an_effect_as_large_as_the_margin_is_rarely_flagged() -> None:
    """The hardest case that must not be called: at most ALPHA over all looks together."""
    rng = np.random.default_rng(20261122)
    plan = looks.looks(32)
    edge = math.log1p(0.01)
    flagged = 0
    for _ in range(1000):
        judged = looks.first_call(edge + 0.01 * rng.standard_normal(32), 0.01, plan)
        assert judged is not None
        flagged += judged.call == "worse"
    assert flagged <= 1000 * looks.ALPHA + 3 * math.sqrt(1000 * looks.ALPHA)


def test_confirmation_asks_in_the_direction_of_the_flag() -> None:
    slower = np.linspace(0.02, 0.03, 16)
    assert looks.confirmed([slower, slower], [0.01, 0.01], [1, -1]) == [True, False]
    assert looks.confirmed([-slower], [0.01], [-1]) == [True]


def test_confirmation_holds_the_error_of_the_family() -> None:
    """p = 1/128 of each is enough for one, and not for ten."""
    seven = np.linspace(0.02, 0.03, 7)
    assert looks.confirmed([seven], [0.01], [1]) == [True]
    assert looks.confirmed([seven] * 10, [0.01] * 10, [1] * 10) == [False] * 10


def test_no_fresh_sample_confirms_nothing() -> None:
    assert looks.confirmed([np.array([])], [0.01], [1]) == [False]
