"""Latency histograms of several processes, added up, and the percentiles that they carry.

The buckets are those of the load generator (harness/native/load/histogram.cpp): a value keeps its
11 leading bits, so a bucket is 0.1 % wide, and bucket numbers mean the same in every process.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from loopgauge.harness.model import OpenLoop

Buckets = Sequence[tuple[int, int]]

_HALF = 1 << 10
_NINES = 4  # 99.99 %
_BEYOND = 10  # samples beyond a percentile: with fewer it is the luck of the largest ones
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}
# Below this share of the rate latencies measure the queue. Not more, because a slot ends with its
# last answer: a machine with three times the work it has cores for answered 78 to 90 % of 10 000 a
# second, the floor among them, in slots of 120 ms. The table has the exact share in any case.
REACHED = 0.75


class Latencies(msgspec.Struct, kw_only=True):
    """Nanoseconds. `percentiles`: "p50" to "p99.99"; None: the samples do not carry it."""

    count: int
    percentiles: dict[str, float | None]
    max_ns: int
    curve: list[tuple[float, float]] = []  # (share, ns) as far as the samples carry it


class Arrivals(msgspec.Struct, kw_only=True):
    """All processes of one arm together."""

    asked_per_second: float
    achieved_per_second: float
    due: int
    answered: int
    late_max_ns: int
    corrected: Latencies  # from when an operation was due
    service: Latencies  # from when it was sent
    reached: bool  # at least REACHED of the rate


def arrivals(samples: Iterable[OpenLoop | None]) -> Arrivals | None:
    """None where nothing came at a rate."""
    found = [each for each in samples if each is not None]
    if not found:
        return None
    whole = merged(found)
    achieved = whole.answered / whole.seconds if whole.seconds else 0.0
    return Arrivals(
        asked_per_second=whole.asked_per_second,
        achieved_per_second=achieved,
        due=whole.due,
        answered=whole.answered,
        late_max_ns=whole.late_max_ns,
        corrected=latencies(whole.corrected, whole.corrected_max_ns),
        service=latencies(whole.service, whole.service_max_ns),
        reached=achieved >= REACHED * whole.asked_per_second,
    )


def merged(parts: Sequence[OpenLoop]) -> OpenLoop:
    return OpenLoop(
        asked_per_second=parts[0].asked_per_second,
        due=sum(part.due for part in parts),
        answered=sum(part.answered for part in parts),
        seconds=sum(part.seconds for part in parts),
        late_max_ns=max(part.late_max_ns for part in parts),
        corrected=added([part.corrected for part in parts]),
        service=added([part.service for part in parts]),
        corrected_max_ns=max(part.corrected_max_ns for part in parts),
        service_max_ns=max(part.service_max_ns for part in parts),
    )


def added(histograms: Iterable[Buckets]) -> list[tuple[int, int]]:
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(dict(histogram))
    return sorted(total.items())


def latencies(buckets: Buckets, max_ns: int) -> Latencies:
    return Latencies(
        count=sum(count for _, count in buckets),
        percentiles={name: percentile(buckets, q, max_ns) for name, q in _PERCENTILES.items()},
        max_ns=max_ns,
        curve=curve(buckets, max_ns),
    )


def curve(buckets: Buckets, max_ns: int) -> list[tuple[float, float]]:
    """Eight steps to each tenth of the share that is slower."""
    shares = [1 - 10 ** (-step / 8) for step in range(8 * _NINES + 1)]
    found = zip(shares, at_shares(buckets, shares, max_ns), strict=True)
    return [(share, ns) for share, ns in found if ns is not None]


def percentile(buckets: Buckets, q: float, max_ns: int) -> float | None:
    return at_shares(buckets, [q], max_ns)[0]


def at_shares(buckets: Buckets, shares: Sequence[float], max_ns: int) -> list[float | None]:
    """For each share the upper end of the bucket in which it lies; None with too few samples beyond
    it."""
    below = [*accumulate(count for _, count in buckets)]  # samples up to the end of each bucket
    total = below[-1] if below else 0
    found: list[float | None] = []
    for share in shares:
        # 10 000 * (1 - 0.999) is 9.999... in binary: a hair less counts as ten.
        if total * (1 - share) < _BEYOND - 1e-6:
            found.append(None)
            continue
        place = bisect_left(below, max(1, math.ceil(total * share - 1e-6)))
        found.append(min(upper_edge(buckets[place][0]), max_ns))
    return found


def upper_edge(bucket: int) -> int:
    """The largest value that falls into it, in nanoseconds."""
    if bucket < 2 * _HALF:
        return bucket
    shift = bucket // _HALF - 1
    return ((bucket - shift * _HALF + 1) << shift) - 1
