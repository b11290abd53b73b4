from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from loopgauge.harness import two_sample


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (4, 4), (5, 3)])
def test_the_distribution_is_that_of_all_orders(m: int, n: int) -> None:
    found = [0] * (m * n + 1)
    for chosen in itertools.combinations(range(m + n), m):
        rest = [place for place in range(m + n) if place not in chosen]
        found[sum(a > b for a in chosen for b in rest)] += 1
    assert two_sample.rank_sum_counts(m, n) == tuple(found)


def test_the_interval_and_estimate_of_the_book() -> None:
    """Hollander and Wolfe, examples 4.1, 4.3 and 4.4 (permeability of membranes): P = .127, the
    estimate .305, and at 96 % from -.15 to .76."""
    at_term = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    earlier = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
    assert two_sample.shift(at_term, earlier) == pytest.approx(0.305)
    low, high = two_sample.shift_interval(at_term, earlier, level=0.96)
    assert (low, high) == (pytest.approx(-0.15), pytest.approx(0.76))
    assert two_sample.shift_p(at_term, earlier) == pytest.approx(0.127, abs=5e-4)


def test_the_interval_holds_its_level() -> None:
    draw = np.random.default_rng(7)
    misses = 0
    for _ in range(2000):
        base, head = draw.standard_normal(8), draw.standard_normal(8) + 0.5
        low, high = two_sample.shift_interval(head, base)
        misses += not low <= 0.5 <= high
    assert 0.025 <= misses / 2000 <= 0.06


def test_too_few_values_bound_nothing() -> None:
    assert two_sample.least_values() == 4
    three, four = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert two_sample.shift_interval(three, three) == (-math.inf, math.inf)
    assert math.isfinite(two_sample.shift_interval(four, four)[0])
    assert two_sample.shift_interval(np.array([]), four) == (-math.inf, math.inf)


def test_many_values_agree_with_the_exact_distribution() -> None:
    draw = np.random.default_rng(3)
    base, head = draw.standard_normal(61), draw.standard_normal(61) + 0.3
    approximate = two_sample.shift_interval(head, base)
    ordered = two_sample.differences(head, base)
    from loopgauge.harness.statistics import interval_from

    exact = interval_from(ordered, two_sample.rank_sum_counts(61, 61), 0.95)
    assert approximate == (pytest.approx(exact[0], abs=0.01), pytest.approx(exact[1], abs=0.01))
    counts = two_sample.rank_sum_counts(61, 61)
    won = math.floor(two_sample.wins(head, base))
    p = sum(counts[won:]) / sum(counts)
    assert two_sample.shift_p(head, base) == pytest.approx(p, rel=0.05)


def test_the_p_value_and_the_interval_agree() -> None:
    draw = np.random.default_rng(11)
    for _ in range(300):
        base, head = draw.standard_normal(7), draw.standard_normal(9) + 1
        low, _ = two_sample.shift_interval(head, base)
        assert (two_sample.shift_p(head, base) <= 0.025) == (low > 0)


def test_ties_count_half() -> None:
    even = np.array([1.0, 1.0, 1.0])
    assert two_sample.superiority(even, even) == 0.5
    assert two_sample.superiority(even + 1, even) == 1.0
    assert two_sample.shift_p(even, even) > 0.5
    assert two_sample.paired_superiority([0.1, 0.0, -0.1, 0.2]) == 0.625
