"""A gate played many times on noise like that of a calibration: how often it sees what is there.

No normal formula: at 8 to 64 processes the signed-rank interval is a step function of the sample,
and a look that decides early changes what later looks see. So the looks and the second stage of
`looks` are applied to drawn samples, thousands at a time; a test holds the two against each other.

Noise. Base against base has its centre at 0 and is symmetric, because the labels could be swapped:
each value counts with both signs. A few processes say little of a tail, so the shape is pooled over
all benchmarks, each divided by its own spread, and smoothed without widening it (Silverman,
Density Estimation, 1986, 6.4.1). The spread is uncertain, too: every simulated gate draws its own,
as if the calibration's were normal (m s²/chi²_m; an "assurance": O'Hagan, Stevens and Campbell,
Pharmaceut. Statist. 4 (2005) 187-201). More calibration makes the plan cheaper, not only surer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from loopgauge.harness import statistics
from loopgauge.harness.gate import looks
from loopgauge.harness.statistics import Floats

GATES = 500  # simulated; the standard error of a power of 90 % is then 1.3 %

OPEN, EQUIVALENT, WORSE, BETTER = range(4)

Calls = NDArray[np.int8]


@dataclass(frozen=True)
class Noise:
    """`spreads`: of the log-ratio of one process, by benchmark (root of the mean square about 0);
    `known`: how many processes each was found from; `shape`: pooled, of spread 1."""

    spreads: Floats
    known: Floats
    shape: Floats

    def draw(self, random: np.random.Generator, gates: int, processes: int) -> Floats:
        """Log-ratios of identical code: gates x benchmarks x processes."""
        size = (gates, len(self.spreads), processes)
        if not len(self.shape):
            return np.zeros(size)
        width = 1.06 * len(self.shape) ** -0.2
        smooth = random.choice(self.shape, size) + width * random.standard_normal(size)
        smooth /= math.sqrt(1 + width * width)
        chi = random.chisquare(np.broadcast_to(self.known, size[:2]))
        drawn: Floats = smooth * (self.spreads * np.sqrt(self.known / chi))[..., np.newaxis]
        return drawn


@dataclass(frozen=True)
class Outcome:
    """Shares of the simulated gates, by benchmark. `found`: called REGRESSED, twice; `equivalent`:
    called so. `processes`: mean number that the first stage took."""

    found: Floats
    equivalent: Floats
    processes: Floats


def noise_of(calibration: Sequence[Floats]) -> Noise:
    """`calibration`: log-ratios of base against base, one per process, for each benchmark."""
    spreads = np.array([math.sqrt(float(np.mean(values**2))) for values in calibration])
    scaled = [
        values / spread for values, spread in zip(calibration, spreads, strict=True) if spread > 0
    ]
    pooled = np.concatenate(scaled) if scaled else np.zeros(0)
    known = np.array([float(len(values)) for values in calibration])
    return Noise(spreads, known, np.concatenate([pooled, -pooled]))


def play(
    noise: Noise,
    effects: Floats,
    margins: Floats,
    most: int,
    fresh: int,
    *,
    seed: int,
    gates: int = GATES,
) -> Outcome:
    """`effects`: true log-ratio of head against base, by benchmark; `margins` are shares. All
    benchmarks are of one gate: what is flagged in it is confirmed together (Holm). The same seed
    gives the same noise whatever the effects, so powers rise with them."""
    random = np.random.default_rng([seed, most, fresh])
    edges = np.log1p(margins)[np.newaxis, :]
    first = noise.draw(random, gates, most) + effects[:, np.newaxis]
    second = noise.draw(random, gates, fresh) + effects[:, np.newaxis]
    calls, sizes = first_calls(first, edges, looks.looks(most))
    p_worse, p_better = (p_values(sign * second, edges) for sign in (1, -1))
    p = np.where(calls == BETTER, p_better, p_worse)
    kept = holm_rows(p, (calls == WORSE) | (calls == BETTER))
    return Outcome(
        found=np.mean(kept & (calls == WORSE), axis=0),
        equivalent=np.mean(calls == EQUIVALENT, axis=0),
        processes=np.mean(sizes, axis=0),
    )


def first_calls(
    values: Floats, edges: Floats, plan: Sequence[looks.Look]
) -> tuple[Calls, NDArray[np.int64]]:
    """What `looks.first_call` says of each row of the last axis, and how many values it took."""
    calls = np.full(values.shape[:-1], OPEN, dtype=np.int8)
    sizes = np.full(values.shape[:-1], plan[-1].size)
    for look in plan:
        here = calls_at(values[..., : look.size], edges, look.alpha)
        decided = (calls == OPEN) & (here != OPEN)
        calls[decided] = here[decided]
        sizes[decided] = look.size
    return calls, sizes


def calls_at(values: Floats, edges: Floats, alpha: float) -> Calls:
    """What `looks.judge` says. The interval's ends are the Walsh averages at two ranks, so on
    which side of an edge they lie is told by how many averages are below it: a sum of ranks."""
    n = values.shape[-1]
    level = 1 - 2 * alpha
    cut = statistics.lower_tail_size(statistics.signed_rank_counts(n), (1 - level) / 2)
    averages = n * (n + 1) // 2
    below_low, below_high = walsh_below(values, -edges), walsh_below(values, edges)
    low_above_high_edge = below_high < cut
    high_below_low_edge = averages - below_low < cut
    inside = (below_low < cut) & (averages - below_high < cut)
    conditions = [low_above_high_edge, high_below_low_edge, inside]
    return np.select(conditions, [WORSE, BETTER, EQUIVALENT], OPEN).astype(np.int8)


def walsh_below(values: Floats, centre: Floats) -> NDArray[np.int64]:
    """How many Walsh averages of each row are below its centre: the sum of the ranks, by distance
    from the centre, of the values below it (Tukey; Hollander, Wolfe and Chicken, 3.3). Values as
    far above as others are below would count for neither side, and have the chance 0 here."""
    away = values - centre[..., np.newaxis]
    order = np.argsort(np.abs(away), axis=-1)
    negative = np.take_along_axis(away, order, axis=-1) < 0
    below: NDArray[np.int64] = (negative * np.arange(1, values.shape[-1] + 1)).sum(axis=-1)
    return below


def p_values(values: Floats, edges: Floats) -> Floats:
    """What `statistics.signed_rank_p` gives for the shift `edges`."""
    n = values.shape[-1]
    tails: Floats = upper_tails(n)[n * (n + 1) // 2 - walsh_below(values, edges)]
    return tails


@cache
def upper_tails(n: int) -> Floats:
    """Chance of a rank sum w or more, for w = 0 ... n(n+1)/2."""
    counts = statistics.signed_rank_counts(n)
    tails, above = [], 0
    for count in reversed(counts):
        above += count
        tails.append(above / 2**n)
    return np.array(tails[::-1])


def holm_rows(p: Floats, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`statistics.holm` on each row, over those of its hypotheses that are asked."""
    order = np.argsort(np.where(asked, p, np.inf), axis=-1, kind="stable")
    ordered = np.take_along_axis(np.where(asked, p, np.inf), order, axis=-1)
    remaining = asked.sum(axis=-1, keepdims=True) - np.arange(p.shape[-1])
    # Past the last one that is asked p is infinite: whatever the level there, nothing falls.
    falls = ordered <= looks.ALPHA / np.maximum(remaining, 1)
    result = np.zeros_like(asked)
    np.put_along_axis(result, order, np.logical_and.accumulate(falls, axis=-1), axis=-1)
    return result
