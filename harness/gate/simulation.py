"""A gate played many times on noise like that of a calibration: how often it sees what is there.

No normal formula: at 8 to 64 processes the signed-rank interval is a step function of the sample,
a look that decides early changes what later looks see, and what is decided leaves its time to the
rest. So the looks, the clock and the second stage are applied to drawn samples, thousands at a
time; a test holds them against the real ones. Not played: a base that differs from its own twin.

Noise. Base against base has its centre at 0 and is symmetric, because the labels could be swapped:
each value counts with both signs. A few processes say little of a tail, so the shape is pooled over
all benchmarks, each divided by its own spread, and smoothed without widening it (Silverman,
Density Estimation, 1986, 6.4.1). That spread is a robust one, because the gate's statistics are:
one process in eight that was disturbed belongs to the tail. Benchmarks of one machine resemble
each other, so each spread is moved towards their mean as far as it may be there by chance, and what
stays uncertain of it is drawn anew for every simulated gate (empirical Bayes: Morris, J. Am.
Statist. Assoc. 78 (1983) 47-55, on logarithms). So more calibration makes a plan cheaper, not only
surer.
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

# Of the Hodges-Lehmann estimate of |x|: its value for a normal x of spread 1 (half the median of a
# sum of two half-normals), and degrees of freedom per value (simulated: the same for 8 to 64).
OF_NORMAL, FREEDOM = 0.7437, 0.69
POOLED = 4  # spreads: with fewer, nothing can be said of how alike they are

OPEN, EQUIVALENT, WORSE, BETTER = range(4)

Calls = NDArray[np.int8]


@dataclass(frozen=True)
class Noise:
    """`spreads`: of the log-ratio of one process, by benchmark, as a standard deviation; `unsure`:
    standard error of its logarithm; `shape`: pooled, of spread 1."""

    spreads: Floats
    unsure: Floats
    shape: Floats

    def draw(self, random: np.random.Generator, gates: int, processes: int) -> Floats:
        """Log-ratios of identical code: gates x benchmarks x processes."""
        size = (gates, len(self.spreads), processes)
        if not len(self.shape):
            return np.zeros(size)
        width = 1.06 * len(self.shape) ** -0.2
        smooth = random.choice(self.shape, size) + width * random.standard_normal(size)
        smooth /= math.sqrt(1 + width * width)
        spreads = self.spreads * np.exp(self.unsure * random.standard_normal(size[:2]))
        drawn: Floats = smooth * spreads[..., np.newaxis]
        return drawn


@dataclass(frozen=True)
class Rules:
    """Of the timing of a gate (timing.py). `seconds`: of one process, by benchmark; `start_s`: of
    what comes before the first; infinite limits are none. A first stage that has flagged something
    ends at `flagged_s`; the second takes `fresh` processes, and not less than looks.LEAST."""

    seconds: Floats
    margins: Floats
    plan: Sequence[looks.Look]
    fresh: int
    start_s: float = 0.0
    limit_s: float = math.inf
    flagged_s: float = math.inf
    second_s: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """Shares of the simulated gates, by benchmark. `found`: called REGRESSED, twice; `equivalent`:
    called so in the first stage. `processes`: mean number that the first stage took; `minutes`: of
    the whole gate, its mean."""

    found: Floats
    equivalent: Floats
    processes: Floats
    minutes: float


def noise_of(calibration: Sequence[Floats]) -> Noise:
    """`calibration`: log-ratios of base against base, one per process, for each benchmark."""
    spreads = np.array([robust_spread(values) for values in calibration])
    scaled = [
        values / spread for values, spread in zip(calibration, spreads, strict=True) if spread > 0
    ]
    pooled = np.concatenate(scaled) if scaled else np.zeros(0)
    errors = np.array([1 / (2 * FREEDOM * len(values)) for values in calibration])
    spreads, unsure = moved_together(spreads, errors)
    return Noise(spreads, unsure, np.concatenate([pooled, -pooled]))


def moved_together(spreads: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Morris's estimates (his 1.16 to 1.19) and their standard errors. `errors`: variances of the
    spreads' logarithms. Fewer than four that are not 0 stay as they are."""
    unsure = np.where(spreads > 0, np.sqrt(errors), 0.0)
    some = spreads > 0
    count = int(some.sum())
    if count < POOLED:
        return spreads, unsure
    logs, own = np.log(spreads[some]), errors[some]
    away = logs - logs.mean()
    shrink = np.minimum(
        1.0, (count - 3) / (count - 1) * own / max(float(np.var(logs, ddof=1)), 1e-12)
    )
    variance = own * (1 - (count - 1) / count * shrink) + 2 / (count - 3) * (shrink * away) ** 2
    moved = spreads.copy()
    moved[some] = np.exp(logs - shrink * away)
    unsure[some] = np.sqrt(variance)
    return moved, unsure


def robust_spread(values: Floats) -> float:
    """About 0. Endures disturbed values up to 29 % (the breakdown point of Hodges-Lehmann)."""
    return statistics.hodges_lehmann(np.abs(values)) / OF_NORMAL


def play(noise: Noise, effects: Floats, rules: Rules, *, seed: int, gates: int = GATES) -> Outcome:
    """`effects`: true log-ratio of head against base, by benchmark. All benchmarks are of one gate:
    they share its clock, and what is flagged is confirmed together (Holm). The same seed gives the
    same noise whatever the effects, so powers rise with them."""
    random = np.random.default_rng(seed)
    first = noise.draw(random, gates, rules.plan[-1].size) + effects[:, np.newaxis]
    second = noise.draw(random, gates, rules.fresh) + effects[:, np.newaxis]
    stage = first_stage(first, rules)
    flagged = (stage.calls == WORSE) | (stage.calls == BETTER)
    signs = np.where(stage.calls == BETTER, -1.0, 1.0)[..., np.newaxis]
    sizes = fresh_sizes(flagged, stage.elapsed_s, rules)
    kept = confirmed(signs * second, flagged, sizes, np.log1p(rules.margins))
    second_s = sizes * (flagged * rules.seconds).sum(axis=-1)
    return Outcome(
        found=np.mean(kept & (stage.calls == WORSE), axis=0),
        equivalent=np.mean(stage.calls == EQUIVALENT, axis=0),
        processes=np.mean(stage.sizes, axis=0),
        minutes=float(np.mean(stage.elapsed_s + second_s)) / 60,
    )


@dataclass(frozen=True)
class Stage:
    """`calls` and `sizes` (processes): gates x benchmarks; `elapsed_s`: by gate."""

    calls: Calls
    sizes: Floats
    elapsed_s: Floats


def first_stage(values: Floats, rules: Rules) -> Stage:
    """Gates x benchmarks x processes. What `timing.Looking` does with `looks.first_call`: a round
    is a process of every benchmark that is not decided, and begins when there is time left."""
    edges = np.log1p(rules.margins)
    calls = np.full(values.shape[:-1], OPEN, dtype=np.int8)
    sizes = np.zeros(values.shape[:-1])
    elapsed_s = np.full(len(values), float(rules.start_s))
    going = np.ones(len(values), dtype=np.bool_)
    before = 0
    for look in rules.plan:
        undecided = (calls == OPEN) & going[:, np.newaxis]
        round_s = (undecided * rules.seconds).sum(axis=-1)
        rounds = rounds_begun(
            round_s, elapsed_s, calls, rules, look.size - before, first=not before
        )
        elapsed_s += rounds * round_s
        sizes += undecided * rounds[:, np.newaxis]
        going &= rounds == look.size - before
        asked = undecided & going[:, np.newaxis]
        here = calls_at(values[..., : look.size], edges, look.alpha)
        calls[asked] = here[asked]
        before = look.size
    look_last(values, calls, sizes, rules)
    return Stage(calls, sizes, elapsed_s)


def look_last(values: Floats, calls: Calls, sizes: Floats, rules: Rules) -> None:
    """Where the clock has ended a stage: what is open gets the look that `looks.first_call` takes
    then. All that is open in a gate has the same number of values."""
    edges = np.log1p(rules.margins)
    undecided = calls == OPEN
    done = (undecided * sizes).max(axis=-1)
    for size in np.unique(done[(done > 0) & (done < rules.plan[-1].size)]):
        unspent = math.fsum(look.alpha for look in rules.plan if look.size > size)
        these = done == size
        here = calls_at(values[these, :, : int(size)], edges, unspent)
        calls[these] = np.where(undecided[these], here, calls[these])


def rounds_begun(
    round_s: Floats, elapsed_s: Floats, calls: Calls, rules: Rules, wanted: int, *, first: bool
) -> Floats:
    """How many of the wanted rounds begin before the limit of each gate; up to the first look, all
    of them."""
    flagged = ((calls == WORSE) | (calls == BETTER)).any(axis=-1)
    limit_s = np.where(flagged, rules.flagged_s, rules.limit_s)
    if first or not np.isfinite(limit_s).any():
        return np.full(len(round_s), float(wanted))
    left = (limit_s - elapsed_s) / np.maximum(round_s, 1e-12)
    rounds: Floats = np.clip(np.floor(left) + 1, 0, wanted)
    return rounds


def fresh_sizes(flagged: NDArray[np.bool_], elapsed_s: Floats, rules: Rules) -> NDArray[np.int64]:
    """Processes of each gate's second stage, which has what the first has left of the minutes, and
    `second_s` in any case."""
    round_s = (flagged * rules.seconds).sum(axis=-1)
    seconds = np.maximum(rules.second_s, rules.limit_s - elapsed_s)
    fits = np.floor(seconds / np.maximum(round_s, 1e-12))
    sizes: NDArray[np.int64] = np.clip(fits, looks.LEAST, rules.fresh).astype(np.int64)
    return sizes


def confirmed(
    values: Floats, flagged: NDArray[np.bool_], sizes: NDArray[np.int64], edges: Floats
) -> NDArray[np.bool_]:
    """What `looks.confirmed` says of each gate's flagged benchmarks, from its number of values."""
    p = np.ones(flagged.shape)
    for size in np.unique(sizes):
        these = sizes == size
        p[these] = p_values(values[these, :, :size], edges)
    return holm_rows(p, flagged)


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
