from __future__ import annotations

import math

import pytest

from loopgauge.harness.cli import wording
from loopgauge.harness.summary import Ratio


def ratio(estimate: float, low: float, high: float) -> Ratio:
    return Ratio(estimate=estimate, low=low, high=high, sign_low=low, sign_high=high, n=12)


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (330.4, "330 ns"),
        (1014.0, "1.01 µs"),
        (999.9, "1,000 ns"),
        (12_345_678.0, "12.3 ms"),
        (2.5e9, "2.50 s"),
        (0.26, "0.260 ns"),
        (0.0, "0 ns"),
        (math.nan, "?"),
    ],
)
def test_durations_have_three_digits(ns: float, words: str) -> None:
    assert wording.duration(ns) == words


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((1 / 3.12, 1 / 3.20, 1 / 3.05), "3.12x faster [3.05, 3.20]"),
        ((1.3, 1.25, 1.36), "1.30x slower [1.25, 1.36]"),
        ((0.01, 0.009, 0.011), "100.0x faster [90.9, 111.1]"),
        ((1.0, 0.99, 1.01), "1.000x as fast [0.990, 1.010]"),
        ((0.5, 0.4, 1.6), "2.00x as fast [0.62, 2.50]"),
        ((0.995, 0.992, 0.998), "1.005x faster [1.002, 1.008]"),
        ((0.5, 0.0, math.inf), "2.00x as fast [no interval]"),
        ((math.nan, math.nan, math.nan), "no ratio"),
    ],
)
def test_a_cost_ratio_in_words(figures: tuple[float, float, float], words: str) -> None:
    assert wording.comparison(ratio(*figures), "cpu") == words


def test_no_side_is_claimed_while_the_interval_holds_one() -> None:
    words = wording.comparison(ratio(0.9, 0.8, 1.001), "cpu")
    assert "faster" not in words
    assert "slower" not in words


def test_a_value_is_better_not_faster() -> None:
    assert wording.comparison(ratio(0.5, 0.4, 0.6), "value") == "2.00x better [1.67, 2.50]"
    assert wording.verdict("slower", "value") == "worse"
    assert wording.verdict("inconclusive", "value") == "inconclusive"


def test_whom_it_is_compared_with() -> None:
    faster, even = ratio(0.5, 0.4, 0.6), ratio(1.0, 0.9, 1.1)
    assert wording.comparison(faster, "cpu", interval=False, than="asyncio") == (
        "2.00x faster than asyncio"
    )
    assert wording.comparison(even, "cpu", interval=False, than="asyncio") == (
        "1.000x as fast as asyncio"
    )


def test_remaining_time() -> None:
    assert wording.remaining_time(75.4) == "1:15"
    assert wording.remaining_time(-3) == "0:00"
