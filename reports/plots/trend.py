"""A loop's ratio to its yardstick, run after run: a line per loop, an interval at each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import SMALL, Drawing, head
from loopgauge.reports.plots.scale import Scale, log_scale
from loopgauge.reports.site.trends import Trend, TrendPoint

WIDTH, LEFT, RIGHT = 620.0, 46.0, 490.0
TOP, HEIGHT, FOOT = 50.0, 190.0, 46.0
TICKS_APART = 24.0
LABEL_APART = 13.0  # of the names at the right
DATES_APART = 62.0


def trend_plot(
    trend: Trend, looks: Mapping[str, theme.Mark], colour: Callable[[str], str]
) -> Drawing:
    """`looks`: of every loop of the trend."""
    bottom = TOP + HEIGHT
    canvas = Canvas(WIDTH, bottom + FOOT, colour)
    title = f"{trend.name}: cost relative to {trend.against}, lower is better"
    told = f"Bar: 95 % interval of that {trend.each}. Hollow: no clear difference. Log scale."
    head(canvas, title, told)
    scale = log_scale([1.0, *_ends(trend)], bottom, TOP, least=1.3)
    ticks = scale.ticks(TICKS_APART)
    canvas.lines([(LEFT, scale(at), RIGHT, scale(at)) for at in ticks], theme.GRID, 0.8)
    for at in ticks:
        canvas.text(
            LEFT - 6, scale(at), wording.tick(at), role=theme.MUTED, size=SMALL, align="right"
        )
    canvas.lines([(LEFT, scale(1.0), RIGHT, scale(1.0))], theme.MUTED, 1.4)
    places = {run.name: _place(number, len(trend.runs)) for number, run in enumerate(trend.runs)}
    _dates(canvas, trend, places, bottom)
    shift = _shifts([*trend.lines], len(trend.runs))
    for loop, points in trend.lines.items():
        found = [(places[run] + shift[loop], point) for run, point in points.items()]
        _line(canvas, found, looks[loop], scale)
    _names(canvas, trend, looks, scale)
    return Drawing(canvas, title, in_words(trend))


def in_words(trend: Trend) -> str:
    return ". ".join(
        f"{loop}: "
        + ", ".join(
            f"{run.day} {wording.ratio(point.value) if point.value is not None else point.status}"
            for run in trend.runs
            if (point := points.get(run.name)) is not None
        )
        for loop, points in trend.lines.items()
    )


def _ends(trend: Trend) -> Iterator[float]:
    for points in trend.lines.values():
        for point in points.values():
            for at in (point.value, point.low, point.high):
                if at is not None and math.isfinite(at) and at > 0:
                    yield at


def _place(number: int, runs: int) -> float:
    """Runs stand at equal distances: they come in bursts, and days without one say nothing."""
    room = (RIGHT - LEFT) / runs
    return LEFT + room * (number + 0.5)


def _shifts(loops: Sequence[str], runs: int) -> dict[str, float]:
    """A little to the side, so that the intervals of several loops do not hide each other, and not
    as far as the next run."""
    step = min(1.4, 0.7 * (RIGHT - LEFT) / runs / len(loops))
    return {loop: (number - (len(loops) - 1) / 2) * step for number, loop in enumerate(loops)}


def _dates(canvas: Canvas, trend: Trend, places: Mapping[str, float], bottom: float) -> None:
    taken, day = -math.inf, ""
    for run in trend.runs:
        x = places[run.name]
        canvas.lines([(x, bottom, x, bottom + 4)], theme.MUTED, 0.8)
        if x - taken >= DATES_APART:
            words = run.day if run.day != day else run.created[11:16]
            canvas.text(x, bottom + 13, words, role=theme.MUTED, size=SMALL, align="center")
            taken, day = x, run.day
    middle = (LEFT + RIGHT) / 2
    words = f"{trend.each}s in the order of time, {trend.runs[0].day} to {trend.runs[-1].day} (UTC)"
    canvas.text(middle, bottom + 30, words, role=theme.MUTED, size=SMALL, align="center")


def _line(
    canvas: Canvas, points: Sequence[tuple[float, TrendPoint]], mark: theme.Mark, scale: Scale
) -> None:
    known = [(x, point, point.value) for x, point in points if _drawn(point.value)]
    strokes = [
        (x0, scale(v0), x1, scale(v1))
        for (x0, _, v0), (x1, _, v1) in pairwise(known)
        if v0 is not None and v1 is not None
    ]
    bars = [
        (x, scale(point.low), x, scale(point.high))
        for x, point, _ in known
        if point.low is not None and point.high is not None
    ]
    if strokes:
        canvas.lines(strokes, mark.role, 1.1)
    if bars:
        canvas.lines(bars, mark.role, 2.2)
    for hollow in (False, True):
        some = [(x, scale(v)) for x, point, v in known if point.unclear is hollow and v is not None]
        if some:
            canvas.dots([x for x, _ in some], [y for _, y in some], mark, size=5.5, hollow=hollow)


def _drawn(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _names(canvas: Canvas, trend: Trend, looks: Mapping[str, theme.Mark], scale: Scale) -> None:
    """At the height of each line's newest point, moved apart; who has none is left out."""
    ends = []
    for loop, points in trend.lines.items():
        values = [p.value for run in trend.runs if (p := points.get(run.name)) and _drawn(p.value)]
        if values and values[-1] is not None:
            ends.append((scale(values[-1]), loop))
    heights = _apart([y for y, _ in sorted(ends)])
    for y, (_, loop) in zip(heights, sorted(ends), strict=True):
        canvas.dots([RIGHT + 12], [y], looks[loop])
        canvas.text(RIGHT + 21, y, wording.shorten(loop, 17))


def _apart(wanted: Sequence[float]) -> list[float]:
    """At least LABEL_APART from each other, as near as possible to where they were wanted."""
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + LABEL_APART) if placed else y)
    lowest = TOP + HEIGHT
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], lowest)
        lowest = placed[number] - LABEL_APART
    return placed
