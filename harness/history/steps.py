"""Where a series changed its level, and how sure that is.

A change is looked for as the place that splits an interval of the series so that the ranks on its
two sides differ most: their rank sum (the Mann-Whitney statistic) in units of its own standard
deviation, the largest over all splits (Pettitt, Appl. Statist. 28 (1979) 126-135; Hawkins and
Deng, J. Quality Technology 42 (2010) 165-173). Ranks make one wild run harmless. Two opposite
changes hide each other in the whole series, so the largest over many nested intervals is taken
(*seeded* binary segmentation: Kovács, Bühlmann, Li and Munk, Biometrika 110 (2023) 249-256). Where
a change is found, it is placed by distances instead of ranks, and both parts are searched the same
way.

How sure: the same statistic of the same values in random order, with a recorded seed. The p value
is the share of orders that look at least as much like a change, this one counted among them
(Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39). It supposes nothing about how the
values are distributed, but that without a change their order does not matter: drift, such as a
machine that grows slower by itself, is a change, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from loopgauge.harness.history.model import Point, Series, SeriesKey
from loopgauge.harness.statistics import Floats
from loopgauge.harness.two_sample import shift, shift_interval

METHOD = "seeded-mann-whitney-1"

ALPHA = 0.05  # over all series that were asked about together
LEAST = 5  # values on either side: with 4 and 4, 2 of 70 orders look like the clearest change
MARGIN = 0.01  # smaller steps are not worth a word
ORDERS = 9_999  # random ones
CHUNK = 500  # orders held at a time
DECAY = math.sqrt(2)  # between the lengths of the nested intervals, as in the source


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """From `index` on the values have another level. `shift` is its size, with its 95 % interval
    as if the place had been known: of all values between the neighbouring changes."""

    index: int
    shift: float
    low: float
    high: float
    p: float
    before: int  # values
    after: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a series that is larger than the margin. `change`, from `low` to `high`, is a
    share of the level before (0.02: 2 % more); of a series with values of zero or less they are
    None, and `shift`, in the series' unit, says how large it is."""

    series: SeriesKey
    at: Point  # the first of the new level
    last_before: Point
    change: float | None
    low: float | None
    high: float | None
    shift: float
    worse: bool
    p: float
    before: int  # runs of the old level
    after: int


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked for, and in how much: enough to repeat it."""

    method: str = METHOD
    series: int
    too_short: int  # of them: fewer runs than two levels need
    alpha: float
    level: float  # of each series, so that alpha holds over all
    margin: float
    least: int
    orders: int
    seed: int
    steps: list[Step]


def search(
    many: Sequence[Series],
    *,
    alpha: float = ALPHA,
    margin: float = MARGIN,
    least: int = LEAST,
    seed: int = 0,
) -> Search:
    """In all series. Each is judged at `alpha` divided by their number (Bonferroni), so that the
    chance of a step in any of them, where none has one, stays below `alpha`."""
    long_enough = [one for one in many if len(measured(one)) >= 2 * least]
    level = alpha / max(1, len(long_enough))
    orders = max(ORDERS, math.ceil(2 / level))
    steps = [
        step for one in long_enough for step in steps_of(one, level, margin, least, seed, orders)
    ]
    return Search(
        series=len(many),
        too_short=len(many) - len(long_enough),
        alpha=alpha,
        level=level,
        margin=margin,
        least=least,
        orders=orders,
        seed=seed,
        steps=sorted(steps, key=lambda step: step.at.created, reverse=True),
    )


def measured(series: Series) -> list[Point]:
    return [point for point in series.points if point.value is not None]


def steps_of(
    series: Series, level: float, margin: float, least: int, seed: int, orders: int
) -> Iterator[Step]:
    points = measured(series)
    values = np.array([point.value for point in points], dtype=np.float64)
    positive = bool(np.all(values > 0))
    scaled = np.log(values) if positive else values
    for found in changes(scaled, level=level, least=least, seed=seed, orders=orders):
        if positive and abs(found.shift) < math.log1p(margin):
            continue
        start = float(np.median(values[found.index - found.before : found.index]))
        change = math.expm1(found.shift) if positive else None
        bounded = positive and math.isfinite(found.high)
        yield Step(
            series=series.key,
            at=points[found.index],
            last_before=points[found.index - 1],
            change=change,
            low=math.expm1(found.low) if bounded else None,
            high=math.expm1(found.high) if bounded else None,
            shift=found.shift if change is None else start * change,
            worse=(found.shift > 0) == (series.key.direction == "lower"),
            p=found.p,
            before=found.before,
            after=found.after,
        )


def changes(
    values: Sequence[float] | Floats,
    *,
    level: float = ALPHA,
    least: int = LEAST,
    seed: int = 0,
    orders: int = ORDERS,
) -> list[Change]:
    """Oldest first. `values` are on a scale where differences matter: logarithms of costs.
    `level`: the chance of a change in a series that has none."""
    array = np.asarray(values, dtype=np.float64)
    found = sorted(_split(array, 0, level, least, seed, orders))
    edges = [0, *(index for index, _ in found), len(array)]
    for i in range(1, len(edges) - 1):  # with nothing but one change between the neighbours
        edges[i] = edges[i - 1] + place(array[edges[i - 1] : edges[i + 1]], least)
    return [
        change_at(array[first:end], first, index, p)
        for first, index, end, (_, p) in zip(edges, edges[1:], edges[2:], found, strict=False)
    ]


def change_at(values: Floats, first: int, index: int, p: float) -> Change:
    before, after = values[: index - first], values[index - first :]
    low, high = shift_interval(after, before)
    return Change(
        index=index,
        shift=shift(after, before),
        low=low,
        high=high,
        p=p,
        before=len(before),
        after=len(after),
    )


def _split(
    values: Floats, offset: int, level: float, least: int, seed: int, orders: int
) -> Iterator[tuple[int, float]]:
    if len(values) < 2 * least:
        return
    ranks = mid_ranks(values)
    statistic, begin, end = strongest(ranks, least)
    p = chance(tuple(np.sort(ranks)), statistic, least, seed, orders)
    if p > level:
        return
    index = begin + place(values[begin:end], least)
    yield offset + index, p
    yield from _split(values[:index], offset, level, least, seed, orders)
    yield from _split(values[index:], offset + index, level, least, seed, orders)


def strongest(ranks: Floats, least: int) -> tuple[float, int, int]:
    """The largest statistic of all intervals, and the interval's begin and end."""
    scored = interval_scores(ranks[None, :], least)
    return max((float(scores.max()), begin, end) for begin, end, scores in scored)


def place(values: Floats, least: int) -> int:
    """Where two levels fit best: the least sum of distances from their medians (Bai, Econometric
    Theory 11 (1995) 403-436). Ranks tell that there is a change better than where, since they do
    not see how far apart two levels are."""
    splits = range(least, len(values) - least + 1)
    misfit = [apart(values[:index]) + apart(values[index:]) for index in splits]
    return splits[int(np.argmin(misfit))]


def apart(values: Floats) -> float:
    return float(np.sum(np.abs(values - np.median(values))))


def chance(ranks: tuple[float, ...], statistic: float, least: int, seed: int, orders: int) -> float:
    """How often these ranks in random order look at least as much like a change."""
    scores = random_orders(ranks, least, seed, orders)
    # Sums of ranks are exact; the division by the deviation is not.
    beyond = np.count_nonzero(scores >= statistic * (1 - 1e-9))
    return (1 + int(beyond)) / (1 + orders)


@lru_cache(maxsize=1024)
def random_orders(ranks: tuple[float, ...], least: int, seed: int, orders: int) -> Floats:
    """The largest statistic of each order. Series of one length without ties share them."""
    generator = np.random.default_rng([seed, len(ranks)])
    found = []
    for first in range(0, orders, CHUNK):
        rows = np.tile(np.array(ranks), (min(CHUNK, orders - first), 1))
        generator.permuted(rows, axis=1, out=rows)
        scores = [one.max(axis=1) for _, _, one in interval_scores(rows, least)]
        found.append(np.max(scores, axis=0))
    return np.concatenate(found)


def interval_scores(rows: Floats, least: int) -> Iterator[tuple[int, int, Floats]]:
    """An interval's begin and end, and for every row |statistic| of each split of the interval that
    leaves `least` values on both sides; 0 where all values are equal.

    The sum of the first k of n scores has the mean k m, with m the mean of the n, and the variance
    k (n-k) S / (n (n-1)), with S their squared distances from it (Lehmann, Nonparametrics, 1975,
    appendix 4): right with ties, and where the scores are the ranks in a longer row."""
    zero = np.zeros((len(rows), 1))
    sums = np.concatenate([zero, np.cumsum(rows, axis=1)], axis=1)
    squares = np.concatenate([zero, np.cumsum(rows**2, axis=1)], axis=1)
    for begin, end in intervals(rows.shape[1], least):
        n = end - begin
        k = np.arange(least, n - least + 1)
        total = sums[:, end, None] - sums[:, begin, None]
        spread = squares[:, end, None] - squares[:, begin, None] - total**2 / n
        part = sums[:, begin + least : end - least + 1] - sums[:, begin, None] - total * (k / n)
        deviation = np.sqrt(np.maximum(spread, 0) * (k * (n - k) / (n * (n - 1))))
        scores = np.zeros_like(part)
        yield begin, end, np.divide(np.abs(part), deviation, out=scores, where=spread > 1e-9)


def mid_ranks(values: Floats) -> Floats:
    """From the middle one; equal values share the mean of their ranks."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    return np.asarray((first + last - len(values)) / 2, dtype=np.float64)


@lru_cache(maxsize=256)
def intervals(n: int, least: int) -> tuple[tuple[int, int], ...]:
    """The seeded intervals of 0 ... n: in each layer shorter by the decay, and more of them, each
    overlapping the next by about a half."""
    found = {(0, n)}
    length = float(n)
    while length / DECAY >= 2 * least:
        length /= DECAY
        count = 2 * math.ceil(n / length) - 1
        starts: NDArray[np.float64] = np.linspace(0, n - length, count)
        found |= {(math.floor(one), math.ceil(one + length)) for one in starts}
    return tuple(sorted(found))
