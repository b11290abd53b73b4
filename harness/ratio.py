"""A ratio of costs with its intervals, over processes."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from loopgauge.harness import statistics
from loopgauge.harness.statistics import Floats

ArmVerdict = Literal["faster", "slower", "equivalent", "inconclusive", "reference", ""]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Signed-rank interval and, beside it, the sign interval. Too few processes for one (under
    6): it reaches from 0 to infinity."""

    estimate: float
    low: float
    high: float
    sign_low: float
    sign_high: float
    n: int  # processes


def ratio_of(logs: Floats) -> Ratio:
    """Of one log-ratio per process."""
    estimate, low, high = statistics.centre(logs)
    sign_low, sign_high = statistics.sign_interval(logs)
    return Ratio(
        estimate=math.exp(estimate),
        low=math.exp(low),
        high=math.exp(high),
        sign_low=math.exp(sign_low),
        sign_high=math.exp(sign_high),
        n=len(logs),
    )
