from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from loopgauge.harness import statistics


def floats(*values: float) -> statistics.Floats:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_signed_rank_counts_equal_an_enumeration(n: int) -> None:
    sums = [
        sum(rank for rank, positive in enumerate(signs, 1) if positive)
        for signs in itertools.product([False, True], repeat=n)
    ]
    expected = [sums.count(w) for w in range(n * (n + 1) // 2 + 1)]
    assert list(statistics.signed_rank_counts(n)) == expected


# Critical values of the two-sided 5 % signed-rank test as printed in every table.
@pytest.mark.parametrize(("n", "critical"), [(6, 0), (7, 2), (8, 3), (12, 13), (20, 52)])
def test_tails_match_published_critical_values(n: int, critical: int) -> None:
    assert statistics.lower_tail_size(statistics.signed_rank_counts(n), 0.025) == critical + 1


def test_the_estimate_is_the_median_of_walsh_averages() -> None:
    # 1, 3, 10 have the averages 1, 2, 3, 5.5, 6.5, 10.
    assert statistics.hodges_lehmann(floats(1, 3, 10)) == pytest.approx(4.25)


def test_one_wild_process_hardly_moves_the_estimate() -> None:
    calm = floats(0.010, 0.011, 0.009, 0.010, 0.012, 0.008, 0.010, 0.011)
    wild = calm.copy()
    wild[0] = 5.0
    assert statistics.hodges_lehmann(wild) == pytest.approx(
        statistics.hodges_lehmann(calm), abs=0.002
    )


def test_six_values_give_the_full_range() -> None:
    values = floats(0.3, 0.1, 0.2, 0.5, 0.4, 0.6)
    assert statistics.signed_rank_interval(values) == pytest.approx((0.1, 0.6))
    assert statistics.sign_interval(values) == pytest.approx((0.1, 0.6))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_values_give_no_interval(n: int) -> None:
    values = np.arange(n, dtype=np.float64)
    assert statistics.signed_rank_interval(values) == statistics.UNBOUNDED
    assert statistics.sign_interval(values) == statistics.UNBOUNDED


@pytest.mark.parametrize("n", [6, 8, 12])
def test_the_intervals_hold_what_they_promise(n: int) -> None:
    rng = np.random.default_rng(7)
    signed_rank = sign = 0
    trials = 2000
    for _ in range(trials):
        values = rng.laplace(0.0, 1.0, n)
        low, high = statistics.signed_rank_interval(values)
        signed_rank += low <= 0 <= high
        low, high = statistics.sign_interval(values)
        sign += low <= 0 <= high
    # 95 % less three standard errors of the simulation
    assert signed_rank / trials > 0.935
    assert sign / trials > 0.935


def test_the_interval_is_the_set_of_shifts_the_test_keeps() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.01, 10)
    low, high = statistics.signed_rank_interval(values)
    step = 1e-6
    assert statistics.signed_rank_p(values, low - step) <= 0.025
    assert statistics.signed_rank_p(values, low + step) > 0.025
    assert statistics.signed_rank_p(-values, -high - step) <= 0.025
    assert statistics.signed_rank_p(-values, -high + step) > 0.025


def test_p_of_all_positive_is_one_pattern_in_two_to_the_n() -> None:
    assert statistics.signed_rank_p(floats(1, 2, 3, 4, 5)) == 1 / 32
    assert statistics.signed_rank_p(floats(-1, -2, -3)) == 1.0
    assert statistics.signed_rank_p(floats(0, 0)) == 1.0


def test_ties_share_their_rank() -> None:
    # ranks 1.5 1.5 3; the positive ones sum to 4.5, taken as 4: patterns with w >= 4 are
    # {1,3} {2,3} {1,2,3} of eight
    assert statistics.signed_rank_p(floats(1, -1, 2)) == 3 / 8


def test_a_difference_within_the_margin_is_none() -> None:
    values = np.full(12, math.log(1.009)) + np.linspace(-1e-4, 1e-4, 12)
    assert statistics.difference_p(values, 0.01) == 1.0
    assert statistics.difference_p(values * 3, 0.01) == 2 / 2**12
    assert statistics.difference_p(-values * 3, 0.01) == 2 / 2**12


def test_holm_steps_down_and_stops() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert statistics.holm([0.04, 0.04]) == [False, False]
    assert statistics.holm([]) == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.02, 1.05, "slower"),
        (1.005, 1.05, "inconclusive"),  # excludes 1, but not the margin
        (0.80, 0.95, "faster"),
        (0.95, 0.995, "inconclusive"),
        (0.995, 1.005, "equivalent"),
        (0.5, 2.0, "inconclusive"),
        (0.0, math.inf, "inconclusive"),
    ],
)
def test_verdicts(low: float, high: float, expected: str) -> None:
    assert statistics.verdict(low, high, 0.01) == expected


def test_a_process_contributes_the_median_of_its_blocks() -> None:
    reference = floats(100, 200, 100)
    costs = floats(110, 220, 900)
    assert statistics.process_log_ratio(costs, reference) == pytest.approx(math.log(1.1))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 11])
def test_the_median_is_that_of_numpy(n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    assert statistics.median(values) == np.median(values)


def test_the_median_of_nothing_or_of_no_number_is_none() -> None:
    assert math.isnan(statistics.median(floats()))
    assert math.isnan(statistics.median(floats(1.0, math.nan, 2.0)))


@pytest.mark.parametrize("lengths", [[4, 4, 4], [5, 5], [4, 3, 4], [0, 0], [1], []])
def test_the_medians_of_many_rows_are_those_of_each(lengths: list[int]) -> None:
    draw = np.random.default_rng(7)
    rows = [draw.normal(size=length) for length in lengths]
    wanted = [statistics.median(row) for row in rows]
    np.testing.assert_array_equal(statistics.medians(rows), wanted)


def test_a_row_with_no_number_has_no_median() -> None:
    rows = [np.array([1.0, math.nan, 2.0]), np.array([1.0, 2.0, 4.0])]
    np.testing.assert_array_equal(statistics.medians(rows), [math.nan, 2.0])


@pytest.mark.parametrize("n", [1, 5, 6, 20])
def test_estimate_and_interval_at_once_are_those_one_by_one(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    wanted = (statistics.hodges_lehmann(values), *statistics.signed_rank_interval(values))
    assert statistics.centre(values) == wanted
