"""Bencher Metric Format: benchmark, then measure, then value with its interval.

See bencher.dev/docs/reference/bencher-metric-format. Which direction is worse is for the threshold
to say, in Bencher.
"""

from __future__ import annotations

import json
import math
import re

from loopgauge.harness.summary import RunSummary
from loopgauge.reports.exports.series import Series, series_of

LATENCY = "latency"  # Bencher's own measure, in nanoseconds
NANOSECONDS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
LONGEST = 64  # of a measure's name

Metrics = dict[str, dict[str, float]]


def bencher_text(summary: RunSummary, *, alone: bool = False) -> str:
    """Costs that are times are `latency` in ns (CPU time, where that is what counts); other values
    are called by their unit. `ratio-to-asyncio` is free of the machine's drift, and the measure
    that a threshold should look at. Counts keep their names: `instructions`, `syscalls`."""
    document = {
        series.name: _metrics(series, summary) for series in series_of(summary, alone=alone)
    }
    filled = {name: metrics for name, metrics in document.items() if metrics}
    return json.dumps(filled, indent=2) + "\n" if filled else ""


def _metrics(series: Series, summary: RunSummary) -> Metrics:
    metrics: Metrics = {}
    arm, ratio = series.arm, series.ratio
    if series.has_cost:
        name, scale = _measure(series)
        metrics[name] = _metric(arm.cost * scale, arm.cost_low * scale, arm.cost_high * scale)
    if ratio is not None:
        metrics[slug(f"ratio-to-{summary.reference}")] = _metric(
            ratio.estimate, ratio.low, ratio.high
        )
    for metric in series.metrics:
        metrics[slug(metric.metric)] = {"value": metric.value}
    return metrics


def _measure(series: Series) -> tuple[str, float]:
    """Name, and what to multiply with."""
    if series.benchmark.measure != "value":
        return LATENCY, 1.0
    scale = NANOSECONDS.get(series.benchmark.unit.split(" ")[0])
    return (LATENCY, scale) if scale else (slug(series.benchmark.unit), 1.0)


def _metric(value: float, low: float, high: float) -> dict[str, float]:
    """An interval without an end is left out."""
    ends = {"lower_value": low, "upper_value": high}
    # With too few processes a ratio's interval begins at zero.
    if not (math.isfinite(low) and math.isfinite(high)) or low == 0:
        ends = {}
    return {"value": value, **ends}


def slug(words: str) -> str:
    """As Bencher makes one of a measure's name."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:LONGEST] or "value"
