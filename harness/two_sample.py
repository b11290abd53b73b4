"""Two independent samples: how far one is shifted against the other, and how sure that is.

For what was measured at different times, where nothing can be paired. One number per process
enters, as in statistics.py, and none is dropped by its value. Sources: Hollander, Wolfe and
Chicken, Nonparametric Statistical Methods, 3rd ed., 4.1 (rank sum test), 4.2 (estimate: Hodges and
Lehmann 1963) and 4.3 (interval: Moses 1965); Vargha and Delaney, J. Educ. Behav. Stat. 25 (2000)
101-132 (probability of superiority).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np

from loopgauge.harness.statistics import UNBOUNDED, Floats, interval_from, lower_tail_size

METHOD = "two-sample-hl-1"

# Values a side beyond which the large-sample approximation stands in: the exact distribution of
# 100 against 100 takes half a second, and the two then differ in the fourth digit.
EXACT_UP_TO = 60


def differences(head: Floats, base: Floats) -> Floats:
    """All head_j - base_i, ascending."""
    return np.sort(np.subtract.outer(head, base), axis=None)


def shift(head: Floats, base: Floats) -> float:
    """The Hodges-Lehmann estimate: the median of all differences."""
    return float(np.median(differences(head, base)))


@cache
def rank_sum_counts(m: int, n: int) -> tuple[int, ...]:
    """In how many of the (m+n)!/(m!n!) orders of m and n values exactly u pairs stand the wrong
    way round, for u = 0 ... mn (Mann and Whitney's U).

    The generating function is the Gaussian binomial: for i = 1 ... m multiply by 1 - q^(n+i) and
    divide by 1 - q^i."""
    counts = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            counts[u] -= counts[u - n - i]
        for u in range(i, m * n + 1):
            counts[u] += counts[u - i]
    return tuple(counts)


def shift_interval(head: Floats, base: Floats, level: float = 0.95) -> tuple[float, float]:
    """Holds the shift with at least `level`; unbounded where even the widest pair of differences
    does not (fewer than 4 against 4 values at 95 %)."""
    m, n = len(head), len(base)
    if min(m, n) == 0:
        return UNBOUNDED
    ordered = differences(head, base)
    if max(m, n) <= EXACT_UP_TO:
        return interval_from(ordered, rank_sum_counts(m, n), level)
    usual = NormalDist(m * n / 2, rank_sum_spread(m, n))
    cut = math.floor(usual.inv_cdf((1 - level) / 2))
    return (float(ordered[cut - 1]), float(ordered[-cut])) if cut > 0 else UNBOUNDED


def rank_sum_spread(m: int, n: int) -> float:
    """Standard deviation of U."""
    return math.sqrt(m * n * (m + n + 1) / 12)


def wins(head: Floats, base: Floats, by: float = 0.0) -> float:
    """In how many pairs head is larger by more than `by`; a tie is half a win."""
    gaps = np.subtract.outer(head, base) - by
    return float(np.count_nonzero(gaps > 0) + np.count_nonzero(gaps == 0) / 2)


def shift_p(head: Floats, base: Floats, by: float = 0.0) -> float:
    """One-sided: how likely so many wins or more are, were the shift `by` or less. Half wins of
    ties are rounded against us."""
    m, n = len(head), len(base)
    if min(m, n) == 0:
        return 1.0
    won = math.floor(wins(head, base, by))
    if max(m, n) <= EXACT_UP_TO:
        counts = rank_sum_counts(m, n)
        return sum(counts[won:]) / sum(counts)
    return 1 - NormalDist(m * n / 2, rank_sum_spread(m, n)).cdf(won - 0.5)


def difference_p(head: Floats, base: Floats, margin: float) -> float:
    """Two-sided, of log costs: the shift lies within ±log(1 + margin)."""
    edge = math.log1p(margin)
    one_sided = min(shift_p(head, base, edge), shift_p(-head, -base, edge))
    return min(1.0, 2 * one_sided)


def superiority(head: Floats, base: Floats) -> float:
    """How likely a process of head has the larger value than one of base; 0.5: neither."""
    return wins(head, base) / (len(head) * len(base)) if len(head) and len(base) else math.nan


def paired_superiority(differences: Sequence[float] | Floats) -> float:
    """The same of pairs: the share of differences above 0, ties counted half."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) == 0:
        return math.nan
    above, even = np.count_nonzero(values > 0), np.count_nonzero(values == 0)
    return float((above + even / 2) / len(values))


def least_values(level: float = 0.95) -> int:
    """How many values a side give a bounded interval at all."""
    n = 1
    while lower_tail_size(rank_sum_counts(n, n), (1 - level) / 2) == 0:
        n += 1
    return n
