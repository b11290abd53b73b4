"""Latency against the share of messages that were answered within it: the tail gets the room.

The horizontal axis is that of HdrHistogram's plots: from the share that is slower, logarithmic, so
99 %, 99.9 % and 99.99 % are as far apart as 0 and 90 %.
"""

from __future__ import annotations

import math

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Latencies
from loopgauge.reports import wording
from loopgauge.reports.plots.field import BOTTOM, LEFT, RIGHT, TOP, Colour, Field, Looks, time_tick
from loopgauge.reports.plots.frame import Drawing
from loopgauge.reports.plots.scale import Scale, log_scale


def has_curves(benchmark: BenchmarkSummary) -> bool:
    return any(len(curve_of(arm)) > 1 for arm in _loops(benchmark))


def percentiles(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing:
    """From when a message was due; dotted from when it was sent."""
    shown = [arm for arm in _loops(benchmark) if len(curve_of(arm)) > 1]
    title = "Latency by percentile: lower is better"
    subtitle = "line: from when it was due · dotted: from when it was sent · log scale"
    field = Field(title, subtitle, [arm.arm for arm in shown], looks, colour)
    both = {arm.arm: (_due(arm), _sent(arm)) for arm in shown}
    curves = [kept(curve) for pair in both.values() for curve in pair]
    y = log_scale([ns for curve in curves for _, ns in curve], BOTTOM, TOP, least=1.5)
    furthest = max(share for curve in curves for share, _ in curve)
    x = Scale(0.0, max(_nines(furthest), 1.0), LEFT, RIGHT, logarithmic=False)
    ticks = [float(at) for at in range(round(x.high) + 1) if at <= x.high + 1e-6]
    field.axes(x, y, _words, time_tick, "share of the messages", x_ticks=ticks)
    said = [benchmark.id]
    for arm in shown:
        mark = looks[arm.arm]
        for latencies, dashed in zip(both[arm.arm], (False, True), strict=True):
            points = [(x(_nines(share)), y(ns)) for share, ns in kept(latencies)]
            field.canvas.curve(points, mark.role, 1.0 if dashed else 1.7, dashed=dashed)
        # A marker where the labelled percentiles are.
        spots = [(x(_nines(s)), y(ns)) for s, ns in kept(_due(arm)) if _is_whole(_nines(s))]
        if spots:
            xs, ys = zip(*spots, strict=True)
            field.canvas.dots(xs, ys, mark, size=5.5)
        told = zip(wording.PERCENTILES, wording.percentiles(_due(arm)), strict=False)
        said.append(f"{arm.arm} {', '.join(f'{name} {words}' for name, words in told)}")
    return field.drawing(said)


def curve_of(arm: ArmSummary) -> list[tuple[float, float]]:
    return kept(arm.arrivals.corrected) if arm.status == "ok" and arm.arrivals else []


def kept(latencies: Latencies) -> list[tuple[float, float]]:
    return [(share, ns) for share, ns in latencies.curve if ns > 0]


def _loops(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    return wording.candidates(benchmark)


def _due(arm: ArmSummary) -> Latencies:
    assert arm.arrivals is not None
    return arm.arrivals.corrected


def _sent(arm: ArmSummary) -> Latencies:
    assert arm.arrivals is not None
    return arm.arrivals.service


def _nines(share: float) -> float:
    """0 for 0, 1 for 90 %, 2 for 99 %."""
    return -math.log10(1 - share) if share < 1 else 16.0


def _is_whole(nines: float) -> bool:
    return abs(nines - round(nines)) < 1e-6


def _words(nines: float) -> str:
    return f"{100 * (1 - 10**-nines):g} %"
