"""When a comparison may be decided, and how sure one has to be at each look.

A benchmark is looked at a few times, at sizes (processes) that are set before the first sample.
Each look spends a part of the error that one comparison may make (Lan and DeMets, Biometrika 70
(1983) 659-663, with the spending function that gives about equal chances to every look; Pocock,
Biometrika 64 (1977) 191-199). The parts are added up as they are (Bonferroni): exact for the
signed-rank interval, whatever the dependence between looks, and a little conservative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.statistics import Floats

METHOD = "two-stage-pocock-1"

ALPHA = 0.05  # one-sided, of one comparison over all its looks
LEAST = 8  # processes: the fewest at which the first look's part can be undercut at all
MOST = 64

Call = Literal["worse", "better", "equivalent", "open"]


@dataclass(frozen=True)
class Look:
    """`alpha`: one-sided chance of an error that may be made at this look."""

    size: int
    alpha: float


@dataclass(frozen=True)
class Judged:
    """Of log-ratios: `estimate` and the interval that decides, at `level`."""

    call: Call
    estimate: float
    low: float
    high: float
    size: int
    level: float


def spent(share: float, alpha: float = ALPHA) -> float:
    """Of `alpha`, when a share (0 to 1) of the samples is there."""
    return alpha * math.log1p((math.e - 1) * share)


def looks(most: int, alpha: float = ALPHA) -> list[Look]:
    """Each size is twice the one before it, from LEAST processes or somewhat more to `most`: what
    is clear is decided early, and what is not is not asked too often."""
    sizes = [max(LEAST, most)]
    while sizes[0] >= 2 * LEAST:
        sizes.insert(0, sizes[0] // 2)
    most = sizes[-1]
    before = [0.0, *(spent(size / most, alpha) for size in sizes[:-1])]
    after = [spent(size / most, alpha) for size in sizes]
    return [
        Look(size, late - early) for size, early, late in zip(sizes, before, after, strict=True)
    ]


def judge(log_ratios: Floats, margin: float, alpha: float) -> Judged:
    """`alpha` is one-sided; the interval has the level 1 - 2 alpha."""
    level = 1 - 2 * alpha
    low, high = statistics.signed_rank_interval(log_ratios, level)
    edge = math.log1p(margin)
    estimate = statistics.hodges_lehmann(log_ratios)
    return Judged(call_of(low, high, edge), estimate, low, high, len(log_ratios), level)


def call_of(low: float, high: float, edge: float) -> Call:
    if low > edge:
        return "worse"
    if high < -edge:
        return "better"
    if -edge <= low and high <= edge:
        return "equivalent"
    return "open"


def first_call(
    log_ratios: Floats, margin: float, plan: Sequence[Look], *, ended: bool = False
) -> Judged | None:
    """What the looks so far say: the first that decides, else the last. None before the first
    look. Values beyond the last look's size are used only when measuring has `ended` before the
    next: they get a look of their own then, with all of the error that no look has spent. When the
    clock ends a stage does not depend on these values, so the sum of the parts still holds."""
    judged = None
    unspent = [look.alpha for look in plan]
    for look in plan:
        if len(log_ratios) < look.size:
            break
        judged = judge(log_ratios[: look.size], margin, look.alpha)
        if judged.call != "open":
            return judged
        unspent.pop(0)
    if ended and judged is not None and unspent:
        return judge(log_ratios, margin, math.fsum(unspent))
    return judged


def confirmed(
    fresh: Sequence[Floats], margins: Sequence[float], signs: Sequence[int], alpha: float = ALPHA
) -> list[bool]:
    """Which flagged changes the second stage confirms, with the chance of one false confirmation
    among all below `alpha` (Holm). `signs`: 1 where worse was flagged, -1 where better."""
    p_values = [
        statistics.signed_rank_p(sign * values, math.log1p(margin)) if len(values) else 1.0
        for values, margin, sign in zip(fresh, margins, signs, strict=True)
    ]
    return statistics.holm(p_values, alpha)


def as_change(log_ratio: float) -> float:
    """0.02 for a cost that is 2 % higher."""
    return float(np.expm1(log_ratio))
