"""One figure over hosts, held against a published example and fleets whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopgauge.harness import statistics
from loopgauge.harness.distributions import f_tail, t_quantile, t_tail
from loopgauge.harness.fleet.combining import Combined, combine, error_of

# Colditz et al., JAMA 271 (1994) 698-702: thirteen trials of the BCG vaccine, log risk ratios and
# variances, the example of the R package metafor.
BCG = [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209]
BCG += [0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173]
BCG_V = [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230]
BCG_V += [0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714]
KNOWN = 10**9  # processes: the errors are as good as known


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062047362), (2, 4.3026527297), (5, 2.5705818356), (30, 2.0422724563)],
)
def test_quantiles_of_t_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(0.025, degrees) == pytest.approx(quantile, abs=1e-9)
    assert t_tail(-quantile, degrees) == pytest.approx(0.975)


def test_tails_of_f_are_those_of_the_tables() -> None:
    assert f_tail(4.9646, 1, 10) == pytest.approx(0.05, abs=1e-5)
    assert f_tail(3.1355, 6, 11) == pytest.approx(0.0475, abs=2e-3)
    assert f_tail(9.0, 1, 20) == pytest.approx(2 * t_tail(3.0, 20))
    assert f_tail(0, 3, 4) == 1


def test_a_published_example() -> None:
    """metafor: τ² of Paule and Mandel 0.3181, Q 152.23 of 12 degrees of freedom, I² 92.1 %."""
    found = combine(BCG, np.sqrt(BCG_V), KNOWN)
    assert found.tau**2 == pytest.approx(0.3181, abs=1e-4)
    assert found.i2 == pytest.approx(1 - 12 / 152.23, abs=5e-4)
    assert found.differ
    assert found.estimate == pytest.approx(-0.715, abs=5e-4)
    assert found.odd == []
    t = t_quantile(0.025, 12)
    weights = 1 / (np.array(BCG_V) + found.tau**2)
    half = t / math.sqrt(weights.sum())  # at this τ², Hartung and Knapp's factor is 1
    assert found.high - found.estimate == pytest.approx(half, rel=1e-6)
    reach = t * math.sqrt(found.tau**2 + 1 / weights.sum())
    assert found.prediction_high - found.estimate == pytest.approx(reach, rel=1e-6)


def test_the_stored_interval_gives_the_error_back() -> None:
    draw = np.random.default_rng(5)
    for processes, off in ((6, 0.25), (8, 0.12), (12, 0.12), (24, 0.12)):
        errors, estimates = [], []
        for _ in range(2000):
            values = draw.normal(0.0, 0.02, processes)
            low, high = statistics.signed_rank_interval(values)
            errors.append(error_of(math.exp(low), math.exp(high), processes) ** 2)
            estimates.append(statistics.hodges_lehmann(values))
        assert np.mean(errors) / np.var(estimates) == pytest.approx(1, abs=off)


def test_an_interval_without_bounds_gives_no_error() -> None:
    assert math.isnan(error_of(0.0, math.inf, 5))
    assert math.isnan(error_of(math.nan, math.nan, 12))
    assert math.isnan(error_of(0.9, 1.1, 1))
    assert error_of(1.0, 1.0, 6) > 0
    assert error_of(0.9, 1.1, 5000) == pytest.approx(math.log(1.1 / 0.9) / 2 / 1.96, rel=1e-3)


def test_few_hosts_claim_little() -> None:
    nothing, one, two = (combine([0.1] * k, [0.01] * k, 12) for k in range(3))
    assert nothing.hosts == 0
    assert math.isnan(nothing.estimate)
    assert (one.hosts, one.estimate) == (1, 0.1)
    assert one.high - one.estimate == pytest.approx(0.01 * t_quantile(0.025, 11))
    assert math.isnan(one.tau)
    assert math.isinf(one.prediction_high)
    assert two.high - two.estimate > 0.01
    assert math.isinf(two.prediction_high)
    assert math.isfinite(combine([0.1] * 3, [0.01] * 3, 12).prediction_high)


def test_a_host_without_an_interval_takes_no_part() -> None:
    with_it = combine([0.1, math.nan, 0.12, 5.0, 0.11], [0.01, 0.01, 0.01, math.inf, 0.01], 12)
    without = combine([0.1, 0.12, 0.11], [0.01] * 3, 12)
    assert with_it == without


def test_the_odd_host_is_named_by_its_position_and_not_averaged_in() -> None:
    found = combine([-0.3, -0.31, math.nan, -0.29, 0.3, -0.3, -0.28], [0.01] * 7, 12)
    assert found.odd == [4]
    assert found.low < -0.29 < found.high < -0.25
    estimate, low, high = found.everyone
    assert high - low > 5 * (found.high - found.low)
    assert estimate > found.high
    assert found.prediction_high > 0.3  # the next host may be odd, too
    assert found.differ


def test_two_odd_hosts_are_found_one_after_the_other() -> None:
    few = combine([-0.3, -0.31, -0.29, 0.3, -0.3, -0.28, -0.32, -0.3, 2.0], [0.01] * 9, 12)
    assert few.odd == [8, 3]


def test_halves_that_differ_are_spread_and_no_exceptions() -> None:
    found = combine([-0.3, -0.31, -0.29, 0.3, 0.28, 0.31], [0.01] * 6, 12)
    assert found.odd == []
    assert found.low < 0 < found.high
    assert found.tau > 0.25


def test_a_deviation_below_the_margin_is_never_odd() -> None:
    logs = [-0.3, -0.3001, -0.2999, -0.3002, -0.3, -0.2998, -0.295]
    assert combine(logs, [1e-5] * 7, 12).odd == [6]
    assert combine(logs, [1e-5] * 7, 12, margin=math.log1p(0.01)).odd == []


def test_what_is_the_same_everywhere_has_no_spread() -> None:
    found = combine([0.25] * 5, [0.0] * 5, 6)
    assert found.tau == 0
    assert found.estimate == pytest.approx(0.25)
    assert found.q_p == 1
    assert found.high - found.low < 1e-7


def test_a_noisy_host_hardly_counts() -> None:
    calm = combine([0.1, 0.1, 0.1, 0.1], [0.005] * 4, 24)
    noisy = combine([0.1, 0.1, 0.1, 0.1, 0.6], [0.005] * 4 + [0.5], 24)
    assert noisy.estimate == pytest.approx(calm.estimate, abs=0.005)


def simulated(draw: np.random.Generator, hosts: int, spread: float) -> Combined:
    """Of a fleet whose true mean is 0, six processes a host."""
    effects = draw.normal(0.0, spread, hosts)
    estimates, errors = [], []
    for effect in effects:
        values = draw.normal(effect, 0.02 * draw.lognormal(0, 0.5), 6)
        low, high = statistics.signed_rank_interval(values)
        estimates.append(statistics.hodges_lehmann(values))
        errors.append(error_of(math.exp(low), math.exp(high), 6))
    return combine(estimates, errors, 6)


@pytest.mark.parametrize("spread", [0.01, 0.05])
def test_the_interval_holds_the_truth(spread: float) -> None:
    """The study of fleets has the figures; this is for whoever breaks it."""
    draw = np.random.default_rng(11)
    found = [simulated(draw, 3 + number % 10, spread) for number in range(400)]
    assert 0.91 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.985
    assert np.mean([bool(one.odd) for one in found]) <= 0.05
