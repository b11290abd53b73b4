"""Head against base, one row a benchmark: the change, its interval, and the margin behind it.

The rows keep the order of the run. A hollow mark is not decided, and is never a ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopgauge.harness.gate.evidence import Figure
from loopgauge.harness.gate.model import Decision, Verdict
from loopgauge.reports import wording
from loopgauge.reports.gate import words
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale
from loopgauge.reports.plots.theme import Mark

TITLE = "Change of time per operation: left is better"
FURTHEST = 15  # margins: one benchmark at +90 % would press those near the margin into a line
LEAST = 3  # margins: the band never fills the plot
TOP = 64.0
FOOT = 22.0
TICKS_APART = 48.0
STAGE_APART = 5.0  # pixels between the two stages of a row

MARKS: dict[Verdict, Mark] = {
    "REGRESSED": Mark("arm1", ">"),
    "IMPROVED": Mark("arm2", "<"),
    "EXPECTED": Mark("arm4", "s"),
    "EQUIVALENT": Mark(theme.MUTED, "o"),
}
UNDECIDED = Mark(theme.MUTED, "D")


@dataclass(frozen=True)
class Row:
    """`first` is there where fresh processes decided, and shows what was flagged before."""

    decision: Decision
    first: Figure | None = None


@dataclass(frozen=True)
class Layout:
    width: float
    left: float  # of the data
    right: float
    row: float
    name_lift: float  # 0: the name stands left of its row; else this far above its middle
    longest: int


WIDE = Layout(width=780, left=236, right=498, row=25, name_lift=0, longest=30)
NARROW = Layout(width=370, left=10, right=360, row=50, name_lift=16, longest=26)


def forest(rows: Sequence[Row], layout: Layout, colour: Callable[[str], str]) -> Drawing:
    bottom = TOP + layout.row * len(rows)
    canvas = Canvas(layout.width, bottom + FOOT, colour)
    head(canvas, TITLE, *subtitles(rows, layout))
    stripes(canvas, TOP, layout.row, len(rows))
    scale = scale_of(rows, layout)
    for number, row in enumerate(rows):
        draw_margin(canvas, row, scale, middle(layout, number))
    axis(canvas, scale, TOP, bottom, tick, TICKS_APART)
    canvas.lines([(scale(0.0), TOP, scale(0.0), bottom)], theme.MUTED, 1.4)
    for number, row in enumerate(rows):
        y = middle(layout, number)
        draw_name(canvas, row, layout, y)
        draw_figures(canvas, row, scale, y)
    said = [f"{words.one_line(row.decision.subject)}: {in_words(row.decision)}" for row in rows]
    return Drawing(canvas, TITLE, ". ".join(said) or "No benchmark was timed.")


def subtitles(rows: Sequence[Row], layout: Layout) -> list[str]:
    said = ["Band: the margin.", "Bar: the interval that decides.", "Hollow: not decided."]
    if any(row.first is not None for row in rows):
        said.append("Thin bar: the first stage, which only flags.")
    if not layout.name_lift:
        return [" ".join(said)]
    return [" ".join(said[:2]), " ".join(said[2:])]


def scale_of(rows: Sequence[Row], layout: Layout) -> Scale:
    margin = max((row.decision.margin or 0.0 for row in rows), default=0.0) or 0.01
    ends = [max(map(abs, found)) for row in rows if (found := ends_of(row))]
    near = [end for end in ends if end <= FURTHEST * margin]
    reach = max([LEAST * margin, *(near or ends)]) * 1.05
    return Scale(-reach, reach, layout.left, layout.right, logarithmic=False)


def ends_of(row: Row) -> list[float]:
    one = row.decision
    found = [end for end in (one.low, one.change, one.high) if end is not None]
    return [*found, *((row.first.low, row.first.high) if row.first is not None else ())]


def middle(layout: Layout, number: int) -> float:
    return TOP + layout.row * (number + 0.5) + layout.name_lift / 2


def draw_margin(canvas: Canvas, row: Row, scale: Scale, y: float) -> None:
    margin = row.decision.margin
    if margin is not None:
        canvas.box(scale(-margin), y - 11, scale(margin) - scale(-margin), 22, theme.BAND)


def draw_name(canvas: Canvas, row: Row, layout: Layout, y: float) -> None:
    one = row.decision
    name = tail(words.one_line(one.subject), layout.longest)
    bold = one.verdict not in ("EQUIVALENT", "INCONCLUSIVE")
    if layout.name_lift:
        canvas.text(4, y - layout.name_lift, name, bold=bold)
        figure = short(one)
        canvas.text(
            layout.width - 2, y - layout.name_lift, figure, size=SMALL, align="right", bold=bold
        )
        return
    canvas.text(layout.left - 14, y, name, align="right", bold=bold)
    canvas.text(layout.right + 12, y, figure_of(one), size=SMALL)
    canvas.text(layout.width - 2, y, one.verdict, size=SMALL, align="right", bold=bold)


def tail(name: str, longest: int) -> str:
    """The end of a long name tells it from its neighbours: a test's name, a parameter."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def draw_figures(canvas: Canvas, row: Row, scale: Scale, y: float) -> None:
    one = row.decision
    if one.change is None or one.low is None or one.high is None:
        return
    if row.first is not None:
        draw_interval(
            canvas, scale, row.first.low, row.first.high, y - STAGE_APART, 1.0, theme.MUTED
        )
        y += STAGE_APART / 2
    mark = MARKS.get(one.verdict, UNDECIDED)
    draw_interval(canvas, scale, one.low, one.high, y, 2.2, mark.role)
    canvas.dots([scale(one.change)], [y], mark, hollow=one.verdict not in MARKS)


def draw_interval(
    canvas: Canvas, scale: Scale, low: float, high: float, y: float, width: float, role: str
) -> None:
    """No cap where it goes on beyond the plot: it has no end there."""
    ends = [(scale(low), y, scale(high), y)]
    ends += [(scale(end), y - 3, scale(end), y + 3) for end in (low, high) if scale.holds(end)]
    canvas.lines(ends, role, width)


def figure_of(one: Decision) -> str:
    if one.change is None:
        return wording.shorten(words.why(one), 40)
    return f"{words.percent(one.change, one.tier)}  ({words.interval(one)})"


def short(one: Decision) -> str:
    if one.change is None:
        return one.verdict
    return f"{words.percent(one.change, one.tier)} {one.verdict}"


def in_words(one: Decision) -> str:
    if one.change is None:
        return f"{one.verdict}, {words.one_line(one.reason)}"
    figure = f"{words.percent(one.change, one.tier)}, {words.interval(one)}"
    return f"{figure}, {one.verdict}"


def tick(share: float) -> str:
    return f"{100 * share:+.3g} %" if share else "0"
