"""Hosts as rows, each loop's ratio on each of them, and below what holds over hosts: a diamond for
the mean and its interval, a thin bar for where one host more would be.

Hosts and loops keep the order of the run. A hollow mark is not decided on that host, and is never
a ranking.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loopgauge.harness.fleet.across import ArmAcross, Part, SubjectAcross
from loopgauge.reports import wording
from loopgauge.reports.fleet import words
from loopgauge.reports.fleet.words import Namer
from loopgauge.reports.gate.words import one_line
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale, log_scale

Looks = Mapping[str, theme.Mark]
TOP = 62.0
FOOT = 22.0
GAP = 10.0  # between hosts and loops
TICKS_APART = 48.0
LEAST_ROW = 22.0
LOOPS_APART = 5.0  # pixels between the loops of a row
DIAMOND = 6.0  # half its height
FURTHEST = 8.0  # a prediction beyond this factor of what was measured goes on beyond the plot


@dataclass(frozen=True)
class Layout:
    width: float
    left: float  # of the data
    right: float
    lift: float  # 0: the name stands left of its row; else this far above its middle
    longest: int


WIDE = Layout(width=780, left=200, right=540, lift=0, longest=26)
NARROW = Layout(width=370, left=10, right=360, lift=14, longest=30)


@dataclass(frozen=True)
class Sheet:
    """What is drawn: `hosts` by key, with the words at their rows."""

    subject: SubjectAcross
    hosts: Mapping[str, str]
    named: frozenset[str]
    looks: Looks
    reference: str
    name: Namer

    @property
    def arms(self) -> list[ArmAcross]:
        return [arm for arm in self.subject.arms if arm.ratios]

    @property
    def combined(self) -> list[tuple[ArmAcross, Part]]:
        return [(arm, part) for arm in self.arms for part in arm.parts if len(part.hosts) > 1]


def forest(sheet: Sheet, layout: Layout, colour: Callable[[str], str]) -> Drawing:
    row = max(LEAST_ROW, LOOPS_APART * len(sheet.arms) + 8) + layout.lift
    below = LEAST_ROW + layout.lift
    rows, loops = len(sheet.hosts), len(sheet.combined)
    middle = TOP + row * rows
    bottom = middle + (GAP + below * loops if loops else 0)
    canvas = Canvas(layout.width, bottom + FOOT, colour)
    title = f"Relative to {sheet.reference} on each host: left of 1 is better"
    head(canvas, title, *subtitles(layout, combined=bool(loops)))
    stripes(canvas, TOP, row, rows)
    scale = scale_of(sheet, layout)
    axis(canvas, scale, TOP, bottom, wording.tick, TICKS_APART)
    canvas.lines([(scale(1.0), TOP, scale(1.0), bottom)], theme.MUTED, 1.4)
    for number, key in enumerate(sheet.hosts):
        draw_host(canvas, sheet, key, layout, scale, TOP + row * number, row)
    for number, (arm, part) in enumerate(sheet.combined):
        draw_combined(
            canvas, sheet, arm, part, layout, scale, middle + GAP + below * (number + 0.5)
        )
    return Drawing(canvas, title, in_words(sheet))


def subtitles(layout: Layout, *, combined: bool) -> list[str]:
    said = ["Bar: 95 % interval on that host.", "Hollow: not decided there."]
    if combined:
        said.append("Diamond: over hosts.")
        said.append("Thin bar: one host more.")
    if not layout.lift:
        return [" ".join(said)]
    return [" ".join(said[:2]), " ".join(said[2:])]


def scale_of(sheet: Sheet, layout: Layout) -> Scale:
    """Holds every estimate and every interval that ends within reason."""
    measured = [
        arm.ratios[key].estimate for arm in sheet.arms for key in sheet.hosts if key in arm.ratios
    ]
    measured = [value for value in measured if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(measured) / FURTHEST, max(measured) * FURTHEST
    ends = [1.0, *measured]
    ends += [
        end
        for arm in sheet.arms
        for key, ratio in arm.ratios.items()
        if key in sheet.hosts
        for end in (ratio.low, ratio.high)
        if low < end < high
    ]
    for _, part in sheet.combined:
        ends += [end for end in (part.over.low, part.over.high) if low < end < high]
        reach = (part.prediction_low, part.prediction_high)
        ends += [end for end in reach if min(measured) / 2 < end < max(measured) * 2]
    return log_scale(ends, layout.left, layout.right)


def draw_host(
    canvas: Canvas,
    sheet: Sheet,
    key: str,
    layout: Layout,
    scale: Scale,
    top: float,
    row: float,
) -> None:
    arms = sheet.arms
    bold = key in sheet.named
    name = wording.shorten(sheet.hosts[key], layout.longest)
    middle = top + (row + layout.lift) / 2
    if layout.lift:
        canvas.text(4, top + 9, name, bold=bold)
    else:
        canvas.text(layout.left - 14, middle, name, align="right", bold=bold)
    first = middle - LOOPS_APART * (len(arms) - 1) / 2
    for number, arm in enumerate(arms):
        ratio = arm.ratios.get(key)
        if ratio is None:
            continue
        y, mark = first + LOOPS_APART * number, sheet.looks[arm.arm]
        if math.isfinite(ratio.high) and ratio.low > 0:
            canvas.lines([(scale(ratio.low), y, scale(ratio.high), y)], mark.role, 2.0)
        hollow = arm.verdicts.get(key) == "inconclusive"
        canvas.dots([scale(ratio.estimate)], [y], mark, size=5.5, hollow=hollow)


def draw_combined(
    canvas: Canvas,
    sheet: Sheet,
    arm: ArmAcross,
    part: Part,
    layout: Layout,
    scale: Scale,
    middle: float,
) -> None:
    mark, y = sheet.looks[arm.arm], middle + layout.lift / 2
    python = f" · {part.python}" * (len(arm.parts) > 1)
    name = wording.shorten(one_line(arm.arm), layout.longest - 4 - len(python)) + python
    figure = words.figure(part.over)
    if layout.lift:
        canvas.dots([8], [y - layout.lift], mark, size=5.5)
        canvas.text(18, y - layout.lift, name, bold=True)
        canvas.text(layout.width - 2, y - layout.lift, figure, size=SMALL, align="right")
    else:
        canvas.dots([8], [y], mark, size=5.5)
        canvas.text(18, y, name, bold=True)
        without = f" without {len(part.odd)} odd" * bool(part.odd)
        canvas.text(layout.right + 12, y, figure + without, size=SMALL)
    if math.isfinite(part.prediction_high) and part.prediction_low > 0:
        canvas.lines(
            [(scale(part.prediction_low), y, scale(part.prediction_high), y)], mark.role, 1.0
        )
    low, at, high = (scale(one) for one in (part.over.low, part.over.estimate, part.over.high))
    low, high = min(low, at - 2), max(high, at + 2)  # a narrow one is still seen
    canvas.area([(low, y), (at, y - DIAMOND), (high, y), (at, y + DIAMOND)], mark.role)


def in_words(sheet: Sheet) -> str:
    """For who does not see it."""
    said = [
        f"{one_line(arm.arm)}: {words.told(arm, sheet.subject, sheet.name)}" for arm in sheet.arms
    ]
    said += [
        f"{one_line(arm.arm)} over hosts {words.figure(part.over)}" for arm, part in sheet.combined
    ]
    return ". ".join(said) or "No loop has a figure."


def marks(arms: Sequence[str], reference: str) -> Looks:
    return theme.marks([reference, *arms], reference)
