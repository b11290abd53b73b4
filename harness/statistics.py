"""The statistics of a comparison: pure functions on numpy arrays, exact and deterministic.

One number per process enters: its paired log-ratio. No sample is dropped by its value; robustness
comes from medians and ranks. Sources: Hodges and Lehmann, Ann. Math. Statist. 34 (1963) 598-611
(estimate); Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., 3.1 and 3.3
(signed-rank distribution and the interval from Walsh averages), 3.4 and 3.6 (sign interval);
Holm, Scand. J. Statist. 6 (1979) 65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

METHOD = "paired-hl-1"  # version of the method, carried by every summary

Floats = NDArray[np.float64]
Verdict = Literal["faster", "slower", "equivalent", "inconclusive"]

UNBOUNDED = (-math.inf, math.inf)


def block_log_ratios(costs: Floats, reference: Floats) -> Floats:
    """Both hold one cost per operation and block, the same block at the same index."""
    return np.log(costs / reference)


def median(values: Floats) -> float:
    """That of numpy, without its 40 µs a call: a report asks for a hundred thousand of them, of ten
    values each. NaN where there is one, or no value."""
    ordered = np.sort(values)  # NaN comes last
    n = len(ordered)
    if n == 0 or math.isnan(ordered[-1]):
        return math.nan
    return float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)


def medians(rows: Sequence[Floats]) -> list[float]:
    """Of each row; at once where all are of one length, as the slots of processes are."""
    if len({len(row) for row in rows}) != 1 or len(rows[0]) == 0:
        return [median(row) for row in rows]
    ordered = np.sort(np.stack(rows), axis=1)
    n = ordered.shape[1]
    middle = (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2
    return np.where(np.isnan(ordered[:, -1]), math.nan, middle).tolist()  # type: ignore[no-any-return]


def process_log_ratio(costs: Floats, reference: Floats) -> float:
    """The one number a process contributes: the median over its blocks."""
    return median(block_log_ratios(costs, reference))


def walsh_averages(values: Floats) -> Floats:
    """All (x_i + x_j) / 2 with i <= j, ascending."""
    rows, columns = _pairs(len(values))
    return np.sort((values[rows] + values[columns]) / 2)


@cache
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.triu_indices(n)
    return rows, columns


def centre(values: Floats, level: float = 0.95) -> tuple[float, float, float]:
    """Hodges-Lehmann estimate and signed-rank interval, of Walsh averages that are sorted once."""
    ordered = walsh_averages(values)
    counts = signed_rank_counts(len(values))
    return median(ordered), *interval_from(ordered, counts, level)


def hodges_lehmann(values: Floats) -> float:
    return median(walsh_averages(values))


@cache
def signed_rank_counts(n: int) -> tuple[int, ...]:
    """How many of the 2**n sign patterns give the rank sum w, for w = 0 ... n(n+1)/2.

    Rank r either counts or does not, so adding it shifts the counts by r and adds them."""
    counts = [1]
    for rank in range(1, n + 1):
        padded = counts + [0] * rank
        counts = [count + (padded[w - rank] if w >= rank else 0) for w, count in enumerate(padded)]
    return tuple(counts)


@cache
def binomial_counts(n: int) -> tuple[int, ...]:
    return tuple(math.comb(n, k) for k in range(n + 1))


def lower_tail_size(counts: Sequence[int], alpha: float) -> int:
    """How many of the smallest outcomes have a probability of alpha or less together."""
    total, below = sum(counts), 0
    for size, count in enumerate(counts):
        below += count
        if below > alpha * total:
            return size
    return len(counts)


def interval_from(ordered: Floats, counts: Sequence[int], level: float) -> tuple[float, float]:
    """The order statistics that hold the parameter with at least `level`; unbounded where even
    the widest pair does not (fewer than 6 values at 95 %)."""
    cut = lower_tail_size(counts, (1 - level) / 2)
    if cut == 0 or len(ordered) == 0:
        return UNBOUNDED
    return float(ordered[cut - 1]), float(ordered[len(ordered) - cut])


def signed_rank_interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Exact interval for the centre of symmetry, belonging to the Hodges-Lehmann estimate."""
    return interval_from(walsh_averages(values), signed_rank_counts(len(values)), level)


def sign_interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Exact interval for the median; needs no symmetry, and is wider."""
    return interval_from(np.sort(values), binomial_counts(len(values)), level)


def signed_rank_p(values: Floats, shift: float = 0.0) -> float:
    """One-sided: how likely ranks this high or higher are, were the centre `shift` or less.

    Zero differences count for neither side, ties get their mean rank (rounded against us)."""
    differences = values - shift
    differences = differences[differences != 0]
    n = len(differences)
    if n == 0:
        return 1.0
    magnitude = np.abs(differences)
    ordered = np.sort(magnitude)
    first = np.searchsorted(ordered, magnitude, side="left") + 1
    last = np.searchsorted(ordered, magnitude, side="right")
    positive = math.floor(float(np.sum(((first + last) / 2)[differences > 0])))
    counts = signed_rank_counts(n)
    return float(sum(counts[positive:]) / 2**n)


def difference_p(values: Floats, margin: float) -> float:
    """Two-sided: the centre lies within ±log(1 + margin)."""
    edge = math.log1p(margin)
    one_sided = min(signed_rank_p(values, edge), signed_rank_p(-values, edge))
    return min(1.0, 2 * one_sided)


def holm(p_values: Sequence[float], alpha: float = 0.05) -> list[bool]:
    """Which hypotheses fall when the chance of one false call among all is to stay below alpha."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for step, i in enumerate(order):
        if p_values[i] > alpha / (len(p_values) - step):
            break
        rejected[i] = True
    return rejected


def verdict(low: float, high: float, margin: float) -> Verdict:
    """Of a ratio of costs: below 1 is faster. That an interval excludes 1 is not enough; it has
    to leave the margin. Neither outside nor inside it is no verdict, and never a pass."""
    worse, better = 1 + margin, 1 / (1 + margin)
    if low > worse:
        return "slower"
    if high < better:
        return "faster"
    if better <= low and high <= worse:
        return "equivalent"
    return "inconclusive"
