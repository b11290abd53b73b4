"""What share of the processes, and of their slots, cost at most how much: every value is there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loopgauge.harness.summary import SLOT_SHARES, BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.plots.field import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Colour,
    Field,
    Looks,
    ticks_of,
)
from loopgauge.reports.plots.frame import Drawing
from loopgauge.reports.plots.scale import Scale, log_scale


def distribution(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing:
    """The empirical distribution of the processes' values as steps; that of single slots, of all
    processes together, as a thin line."""
    shown = [arm for arm in wording.candidates(benchmark) if arm.status == "ok" and arm.values]
    side = "left" if wording.lower_is_better(benchmark) else "right"
    title = f"Distribution: {side} is better, steep is steady"
    subtitle = "steps: processes, marked in the middle"
    if any(arm.slots for arm in shown):
        subtitle += " · dotted: single slots"
    field = Field(title, subtitle, [arm.arm for arm in shown], looks, colour)
    values = [value for arm in shown for value in (*arm.values, *arm.slots)]
    x = log_scale(values, LEFT, RIGHT, least=1.2)
    y = Scale(0.0, 1.0, BOTTOM, TOP, logarithmic=False)
    label = f"{wording.per_operation(benchmark)}, log scale"
    field.axes(x, y, ticks_of(benchmark), share, label)
    said = []
    for arm in shown:
        mark = looks[arm.arm]
        if arm.slots:
            slots = [(x(v), y(q)) for v, q in zip(arm.slots, SLOT_SHARES, strict=True)]
            field.canvas.curve(slots, mark.role, 1.0, dashed=True)
        ordered = sorted(arm.values)
        field.canvas.curve(steps(ordered, x, y), mark.role, 1.6)
        middle = ordered[(len(ordered) - 1) // 2]
        field.canvas.dots([x(middle)], [y(0.5)], mark)
        low, high = (wording.amount(end, benchmark) for end in (ordered[0], ordered[-1]))
        said.append(f"{arm.arm}: {len(ordered)} processes from {low} to {high}")
    return field.drawing([benchmark.id, *said])


def share(at: float) -> str:
    return f"{at:.0%}".replace("%", " %")


def steps(ordered: Sequence[float], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Up by one n-th at each value."""
    points = []
    for number, value in enumerate(ordered):
        if math.isfinite(value):
            points.append((x(value), y(number / len(ordered))))
            points.append((x(value), y((number + 1) / len(ordered))))
    return points
