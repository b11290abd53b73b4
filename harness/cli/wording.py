"""Figures as words. A ratio of costs below 1 is good; people read "3.12x faster"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopgauge.harness.comparison.model import Compared
    from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Ratio

TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


def duration(ns: float) -> str:
    """Three significant digits: the intervals never support a fourth."""
    if not math.isfinite(ns):
        return "?"
    size, unit = next((pair for pair in TIME_UNITS if abs(ns) >= pair[0]), TIME_UNITS[-1])
    return f"{three_digits(ns / size)} {unit}"


def three_digits(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return f"{value:.2e}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def cost(arm: ArmSummary, benchmark: BenchmarkSummary) -> str:
    if benchmark.measure == "value":
        return f"{three_digits(arm.cost)} {benchmark.unit}"
    return duration(arm.cost)


def cost_title(benchmark: BenchmarkSummary, *, short: bool = False) -> str:
    if benchmark.measure == "value":
        return "value"
    clock = "CPU" if benchmark.measure == "cpu" else "time"
    return f"per {benchmark.unit}" if short else f"{clock} per {benchmark.unit}"


def what_is_better(benchmark: BenchmarkSummary) -> str:
    what = {"cpu": "CPU time of the process", "wall": "elapsed time"}.get(benchmark.measure)
    subject = f"{what} per {benchmark.unit}" if what else benchmark.unit
    return f"{subject}, {benchmark.direction} is better"


def comparison(ratio: Ratio, measure: str, *, interval: bool = True, than: str = "") -> str:
    """ "3.12x faster [3.05, 3.20]". Where the interval holds 1 no side is claimed:
    "1.01x as fast [0.98, 1.04]", above 1 meaning faster."""
    better, worse, even = (
        ("better", "worse", "as good") if measure == "value" else ("faster", "slower", "as fast")
    )
    if not (math.isfinite(ratio.estimate) and ratio.estimate > 0):
        return "no ratio"
    low, high = ratio.low, ratio.high
    known = math.isfinite(low) and math.isfinite(high) and low > 0
    if known and high < 1:
        word, factor, ends = better, 1 / ratio.estimate, (1 / high, 1 / low)
    elif known and low > 1:
        word, factor, ends = worse, ratio.estimate, (low, high)
    else:
        word, factor = even, 1 / ratio.estimate
        ends = (1 / high, 1 / low) if known else (math.nan, math.nan)
    if than:
        word = f"{word} {'as' if word == even else 'than'} {than}"
    decimals = factor_decimals(factor)
    text = f"{factor:.{decimals}f}x {word}"
    if not interval:
        return text
    if not known:
        return f"{text} [no interval]"
    return f"{text} [{ends[0]:.{decimals}f}, {ends[1]:.{decimals}f}]"


def verdict(word: str, measure: str) -> str:
    """A value that is no time is not "faster"."""
    if measure == "value":
        return {"faster": "better", "slower": "worse"}.get(word, word)
    return word


def multiple(ratio: Ratio, *, interval: bool) -> str:
    """ "1.05x [1.04, 1.06]": a cost as a multiple of another."""
    factor = ratio.estimate
    if not math.isfinite(factor):
        return "no ratio"
    decimals = 2 if factor < 10 else 1
    if not interval or not (math.isfinite(ratio.high) and ratio.low > 0):
        return f"{factor:.{decimals}f}x"
    ends = f"[{ratio.low:.{decimals}f}, {ratio.high:.{decimals}f}]"
    return f"{factor:.{decimals}f}x {ends}"


def factor_decimals(factor: float) -> int:
    """Near 1 a third decimal separates; from 10 on the second is noise."""
    if 0.9 < factor < 1.1:
        return 3
    return 2 if factor < 10 else 1


def remaining_time(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def compared_metric(one: Compared) -> str:
    """ "CPU per step", "instructions per step", "peak rss (byte)"."""
    if one.tier == "timing":
        clock = {"cpu": "CPU", "wall": "time"}.get(one.measure)
        return f"{clock} per {one.unit}" if clock else one.unit
    what, per, operation = one.unit.partition("/")
    name = one.metric.replace("_", " ")
    return f"{name} per {operation}" if per else f"{name} ({what})"


def compared_figure(one: Compared, value: float | None) -> str:
    """A side of a comparison, per operation."""
    if value is None:
        return "?"
    return three_digits(value) if one.measure == "value" else duration(value)


def cost_change(one: Compared) -> str:
    """ "+2.31% [+1.90%, +2.80%]": above 0 is worse."""
    if one.change is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.change:+.2%}"
    return f"{one.change:+.2%} [{one.low:+.2%}, {one.high:+.2%}]"
