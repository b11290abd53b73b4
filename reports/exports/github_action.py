"""JSON for github-action-benchmark: a list of name, unit, value, range and extra.

One file is of one direction: the action's tool `customSmallerIsBetter` or `customBiggerIsBetter`.
"""

from __future__ import annotations

import json
import math
from typing import Any

from loopgauge.harness.model import Direction
from loopgauge.harness.summary import ArmSummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.exports.series import Series, series_of

Entry = dict[str, Any]


def github_action_text(
    summary: RunSummary, *, direction: Direction = "lower", alone: bool = False
) -> str:
    """Of the benchmarks of one direction; "" where there is none. Beside each cost stands its ratio
    to the reference, which is what an alert should look at: it is free of the machine's drift, and
    lower is better whatever the benchmark."""
    entries = []
    for series in series_of(summary, alone=alone):
        if series.has_cost and series.benchmark.direction == direction:
            entries.append(_cost(series))
        if direction == "lower":
            entries += _ratio(series, summary.reference) + _counts(series)
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n" if entries else ""


def _cost(series: Series) -> Entry:
    arm = series.arm
    entry = {"name": series.name, "unit": series.unit, "value": arm.cost}
    if math.isfinite(arm.cost_low) and math.isfinite(arm.cost_high):
        entry["range"] = _range(arm.cost_low, arm.cost_high)
    extra = [
        series.benchmark.summary,
        f"{arm.loop} {arm.version}".strip(),
        f"processes: {len(arm.values)}",
        _interval(arm),
    ]
    entry["extra"] = "\n".join(line for line in extra if line)
    return entry


def _ratio(series: Series, reference: str) -> list[Entry]:
    ratio = series.ratio
    if ratio is None:
        return []
    entry = {"name": f"{series.name} / {reference}", "unit": "ratio", "value": ratio.estimate}
    if wording.has_interval(ratio):
        entry["range"] = _range(ratio.low, ratio.high)
    return [entry]


def _counts(series: Series) -> list[Entry]:
    return [
        {"name": f"{series.name} {metric.metric}", "unit": metric.unit, "value": metric.value}
        for metric in series.metrics
    ]


def _range(low: float, high: float) -> str:
    """Half the interval: the action understands ± and a number."""
    return f"± {(high - low) / 2:.6g}"


def _interval(arm: ArmSummary) -> str:
    if not (math.isfinite(arm.cost_low) and math.isfinite(arm.cost_high)):
        return ""
    return f"95 % interval: {arm.cost_low:.6g} to {arm.cost_high:.6g}"
