"""Resident memory: of one of the things that a scenario holds, and at the peak."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.field import Colour, Looks
from loopgauge.reports.plots.frame import FOOT, HEAD, SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale

WIDTH = 380.0
LEFT = 92.0
RIGHT = WIDTH - 84.0
ROW = 19.0
BAR = 9.0
LONGEST_NAME = 12
UNITS = (2**30, 2**20, 2**10, 1)


def held(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing | None:
    """Per connection, timer or whatever the scenario holds; None where nothing was held."""
    rows = [arm for arm in wording.memory(benchmark) if "rss" in arm.metrics]
    if not rows:
        return None
    return _bars(
        benchmark,
        rows,
        f"Memory per {wording.held(rows)}: shorter is better",
        "resident memory, the difference of two processes; counted once",
        lambda arm: arm.metrics["rss"].value,
        looks,
        colour,
    )


def peak(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing | None:
    """Over what the process had when the loop was made; None where it was not looked at."""
    rows = wording.memory(benchmark)
    if not rows:
        return None
    return _bars(
        benchmark,
        rows,
        "Peak of memory: shorter is better",
        "resident memory over what was there when the loop was made; seen once",
        lambda arm: arm.metrics["peak_rss"].value,
        looks,
        colour,
    )


def _bars(
    benchmark: BenchmarkSummary,
    rows: Sequence[ArmSummary],
    title: str,
    subtitle: str,
    size: Callable[[ArmSummary], float],
    looks: Looks,
    colour: Colour,
) -> Drawing:
    """Memory that was given back is less than nothing, and has no bar."""
    bottom = HEAD + len(rows) * ROW
    canvas = Canvas(WIDTH, bottom + FOOT, colour)
    head(canvas, title, subtitle)
    stripes(canvas, HEAD, ROW, len(rows))
    longest = max(max(size(arm), 0.0) for arm in rows) or 1.0
    unit = next(unit for unit in UNITS if longest >= unit or unit == 1)
    scale = Scale(0.0, longest / unit * 1.02, LEFT, RIGHT, logarithmic=False)
    axis(canvas, scale, HEAD, bottom, lambda at: _tick(at, unit), apart=56)
    said = [benchmark.id]
    for number, arm in enumerate(rows):
        middle = HEAD + (number + 0.5) * ROW
        role = looks[arm.arm].role if arm.arm in looks else theme.MUTED
        canvas.text(LEFT - 8, middle, wording.shorten(arm.arm, LONGEST_NAME), align="right")
        width = scale(max(size(arm), 0.0) / unit) - LEFT
        canvas.box(LEFT, middle - BAR / 2, width, BAR, role)
        words = wording.bytes_of(size(arm))
        canvas.text(WIDTH - 2, middle, words, size=SMALL, align="right")
        said.append(f"{arm.arm} {words}")
    return Drawing(canvas, title, f"{'; '.join(said)}.")


def _tick(at: float, unit: int) -> str:
    return f"{at:g} {wording.bytes_of(unit).split()[1]}" if at else "0"
