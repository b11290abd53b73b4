"""The first plot: every benchmark, every arm's cost relative to the reference, and who leads.

Wide for a desk and for print; narrow for a phone, with the names above their rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.arms import Looks
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale, log_scale

MOST = 150  # benchmarks: a plot of a thousand is read by nobody, and takes seconds
LONGEST_NAME = 24  # in the legend
LONGEST_BEYOND = 30  # letters inside the plot
ARROW = "\u2192"
GUTTER = 0.26  # of the data's width at most: for who lies further right, where one does
SMALL_LETTER = 5.8  # a generous mean width
LETTER = 7.0  # a generous mean width at the text size used
HEAD_LINES = 60.0  # title and two lines of subtitle
LEGEND_LINE = 17.0
TICKS_APART = 74.0
FURTHEST = 5.0  # one arm at 80 times the cost would squeeze all others into a corner
FOOT = 48.0


@dataclass(frozen=True)
class Layout:
    width: float
    left: float  # of the data
    right: float
    row: float  # height of a benchmark
    name_lift: float  # 0: the name stands left of its row; else this far above its middle
    lead: float  # of the names of the fastest; they end here in the narrow layout
    void: float | None  # of the names without a valid result, where there is room


WIDE = Layout(width=920, left=240, right=660, row=21, name_lift=0, lead=674, void=816)
NARROW = Layout(width=370, left=10, right=360, row=44, name_lift=15, lead=368, void=None)


def overview(
    run: RunSummary, looks: Looks, layout: Layout, colour: Callable[[str], str]
) -> Drawing:
    """Of no more than MOST benchmarks, and says so; a table has them all."""
    reference, total = run.reference, len(run.benchmarks)
    run = msgspec.structs.replace(run, benchmarks=run.benchmarks[:MOST])
    drawn = {arm.arm for each in run.benchmarks for arm in _compared(each, reference)}
    legend = _legend_rows([name for name in looks if name in drawn], layout)
    top = HEAD_LINES + LEGEND_LINE * len(legend) + 12
    bottom = top + layout.row * len(run.benchmarks)
    canvas = Canvas(layout.width, bottom + FOOT, colour)
    title = f"Cost relative to {reference}: left is faster"
    head(canvas, title, *_subtitles(reference, layout, total))
    _draw_legend(canvas, legend, looks)

    scale = log_scale(_ends(run), layout.left, layout.right, least=1.5)
    words = [said for each in run.benchmarks for said in _beyond(each, reference, scale)]
    if words:
        most = GUTTER * (layout.right - layout.left)
        gutter = max(wide for said in words if (wide := _wide(said)) <= most)
        scale = dataclasses.replace(scale, right=layout.right - gutter)
    stripes(canvas, top, layout.row, len(run.benchmarks))
    _draw_noise(canvas, run, layout, scale, top)
    axis(canvas, scale, top, bottom, wording.tick, TICKS_APART)
    # Above as well: the lower end of a long plot is not on the first screen.
    _draw_ticks(canvas, scale, top - 9, wording.tick if layout.name_lift else _speedup)
    if not layout.name_lift:
        _draw_ticks(canvas, scale, bottom + 24, _speedup)
    middle = (layout.left + layout.right) / 2
    label = f"cost / cost of {reference}, log scale"
    canvas.text(middle, bottom + 39, label, role=theme.MUTED, size=SMALL, align="center")
    canvas.lines([(scale(1.0), top, scale(1.0), bottom)], theme.MUTED, 1.4)
    _draw_names(canvas, run, layout, top)
    _draw_columns(canvas, run, layout, top)
    _draw_arms(canvas, run, looks, scale, layout, top)
    for index, benchmark in enumerate(run.benchmarks):
        y = _middle(layout, top, index)
        if beyond := _beyond(benchmark, reference, scale):
            room = layout.right - _rightmost(benchmark, reference, scale) + 0.1  # rounding
            said = next(each for each in beyond if _wide(each) <= room)
            canvas.text(layout.right - 2, y, said, role=theme.MUTED, size=SMALL, align="right")
    return Drawing(canvas, title, _in_words(run))


def _subtitles(reference: str, layout: Layout, total: int) -> tuple[str, ...]:
    first = "Bar: 95 % interval over processes."
    second = "Hollow: no clear difference."
    third = f"Grey: {reference} against its own copy. At the right edge: who lies further off."
    if total > MOST:
        third = f"The first {MOST} of {total} benchmarks."
    if layout.name_lift:
        return (f"{first} {second}", third)
    return (f"{first} {second} {third}",)


def _legend_rows(names: list[str], layout: Layout) -> list[list[tuple[float, str]]]:
    """The arms, broken into lines; x of the marker, and the name."""
    rows: list[list[tuple[float, str]]] = [[]]
    x = 6.0
    for name in names:
        width = 26 + LETTER * min(len(name), LONGEST_NAME)
        if x + width > layout.width and rows[-1]:
            rows.append([])
            x = 6.0
        rows[-1].append((x, name))
        x += width
    return rows


def _draw_legend(canvas: Canvas, rows: list[list[tuple[float, str]]], looks: Looks) -> None:
    for line, entries in enumerate(rows):
        y = HEAD_LINES + LEGEND_LINE * line
        for x, name in entries:
            canvas.dots([x], [y], looks[name])
            canvas.text(x + 9, y, wording.shorten(name, LONGEST_NAME))


def _ends(run: RunSummary) -> list[float]:
    ends = [1.0]
    for benchmark in run.benchmarks:
        for arm in _compared(benchmark, run.reference):
            assert arm.ratio is not None
            ends += [arm.ratio.low, arm.ratio.estimate, arm.ratio.high]
    return [end for end in ends if end <= FURTHEST]


def _beyond(benchmark: BenchmarkSummary, reference: str, scale: Scale) -> list[str]:
    """The arms whose estimate lies right of the plot, from the longest words to the shortest;
    empty where there are none."""
    named = [
        f"{arm.arm} {_far(arm.ratio.estimate)}"
        for arm in _compared(benchmark, reference)
        if arm.ratio is not None and arm.ratio.estimate > scale.high
    ]
    if not named:
        return []
    said = [", ".join(named), f"{len(named)} further off", str(len(named))]
    return [f"{words} {ARROW}" for words in said if len(words) <= LONGEST_BEYOND]


def _wide(words: str) -> float:
    return len(words) * SMALL_LETTER + 12


def _far(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _rightmost(benchmark: BenchmarkSummary, reference: str, scale: Scale) -> float:
    """Where the marks of a row end; those beyond the plot are not drawn in it."""
    ends = [
        scale(arm.ratio.high)
        for arm in _compared(benchmark, reference)
        if arm.ratio is not None and arm.ratio.low <= scale.high
    ]
    noise = [scale(benchmark.aa.high)] if benchmark.aa is not None else []
    return max([scale.left, *ends, *noise])


def _compared(benchmark: BenchmarkSummary, reference: str) -> list[ArmSummary]:
    return [
        arm
        for arm in wording.candidates(benchmark)
        if arm.status == "ok" and arm.ratio is not None and arm.arm != reference
    ]


def _middle(layout: Layout, top: float, index: int) -> float:
    """Where the data of a row lies; below its name in the narrow layout."""
    return top + layout.row * (index + 0.5) + layout.name_lift / 2


def _draw_names(canvas: Canvas, run: RunSummary, layout: Layout, top: float) -> None:
    if layout.name_lift:
        _draw_names_above(canvas, run, layout, top)
        return
    for index, benchmark in enumerate(run.benchmarks):
        name = wording.shorten(_short_id(benchmark), 33)
        canvas.text(layout.left - 14, _middle(layout, top, index), name, align="right")


def _draw_names_above(canvas: Canvas, run: RunSummary, layout: Layout, top: float) -> None:
    """Name and leaders on a strip of their own that no grid line crosses."""
    for index, benchmark in enumerate(run.benchmarks):
        edge = top + layout.row * index
        tint = theme.SURFACE if index % 2 else theme.STRIPE
        canvas.box(0, edge, layout.width, layout.name_lift + 5, tint)
        y = edge + layout.name_lift - 4
        canvas.text(4, y, wording.shorten(_short_id(benchmark), 31))
        lead = _lead(benchmark, 22)
        bold = len(benchmark.fastest) == 1
        canvas.text(layout.lead, y, lead, size=SMALL, align="right", bold=bold)


def _draw_columns(canvas: Canvas, run: RunSummary, layout: Layout, top: float) -> None:
    """Right of the data: who is fastest, and who has no valid result although it was tried."""
    if layout.void is None:
        return
    canvas.text(layout.lead, top - 9, "fastest", role=theme.MUTED, size=SMALL)
    if any(_void(benchmark) for benchmark in run.benchmarks):
        canvas.text(layout.void, top - 9, "no valid result", role=theme.MUTED, size=SMALL)
    for index, benchmark in enumerate(run.benchmarks):
        y = _middle(layout, top, index)
        lead = _lead(benchmark, 23)
        canvas.text(layout.lead, y, lead, size=SMALL, bold=len(benchmark.fastest) == 1)
        canvas.text(layout.void, y, _void(benchmark), role=theme.MUTED, size=SMALL)


def _void(benchmark: BenchmarkSummary) -> str:
    names = [
        arm.arm for arm in wording.candidates(benchmark) if arm.status not in ("ok", "unavailable")
    ]
    joined = ", ".join(names)
    return joined if len(joined) <= 17 else f"{len(names)} loops"


def _short_id(benchmark: BenchmarkSummary) -> str:
    """The id without its family, which the sections below carry."""
    return benchmark.id.split(".", 1)[-1]


def _lead(benchmark: BenchmarkSummary, length: int) -> str:
    names = benchmark.fastest
    if not names:
        return "nothing valid"
    joined = " = ".join(names)
    return joined if len(joined) <= length else f"{len(names)} loops not separated"


def _draw_noise(canvas: Canvas, run: RunSummary, layout: Layout, scale: Scale, top: float) -> None:
    for index, benchmark in enumerate(run.benchmarks):
        if benchmark.aa is None:
            continue
        left = scale(max(benchmark.aa.low, scale.low))
        right = scale(min(benchmark.aa.high, scale.high))
        y = _middle(layout, top, index)
        canvas.box(left, y - 8, max(right - left, 1.0), 16, theme.BAND)


def _draw_arms(
    canvas: Canvas, run: RunSummary, looks: Looks, scale: Scale, layout: Layout, top: float
) -> None:
    """The arms share a row, each on its own height, so that none hides another. An arm is drawn
    over all rows at once: three elements for each instead of two in every row."""
    others = [name for name, mark in looks.items() if mark.role != theme.MUTED]
    step = min(2.6, 13.0 / max(len(others), 1))
    for place, name in enumerate(others):
        lift = (place - (len(others) - 1) / 2) * step
        bars = []
        points: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for index, benchmark in enumerate(run.benchmarks):
            y = _middle(layout, top, index) + lift
            for arm in _compared(benchmark, run.reference):
                if arm.arm != name or arm.ratio is None:
                    continue
                if arm.ratio.low <= scale.high:
                    bars.append((scale(arm.ratio.low), y, scale(arm.ratio.high), y))
                if arm.ratio.estimate <= scale.high:  # else it is named at the edge
                    points[not wording.is_separated(arm)].append((scale(arm.ratio.estimate), y))
        canvas.lines(bars, looks[name].role, 1.5)
        for hollow, found in points.items():
            if found:
                xs, ys = zip(*found, strict=True)
                canvas.dots(xs, ys, looks[name], size=6.0, hollow=hollow)


def _draw_ticks(canvas: Canvas, scale: Scale, y: float, words: Callable[[float], str]) -> None:
    for at in scale.ticks(TICKS_APART):
        canvas.text(scale(at), y, words(at), role=theme.MUTED, size=SMALL, align="center")


def _speedup(at: float) -> str:
    """A tick in the words people use: 0.2 is five times as fast."""
    return "same" if at == 1 else wording.times(at).replace(f".0{wording.TIMES}", wording.TIMES)


def _in_words(run: RunSummary) -> str:
    said = []
    for benchmark in run.benchmarks:
        arms = ", ".join(
            f"{arm.arm} {wording.interval(arm.ratio)}"
            for arm in _compared(benchmark, run.reference)
        )
        said.append(f"{benchmark.id}: fastest {wording.fastest(benchmark)}; {arms or 'no ratio'}")
    return ". ".join(said) or "No benchmark."
