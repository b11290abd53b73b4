"""The three plots of one benchmark, one row per arm: cost, ratio to the reference, spread.

The rows keep the order of the run file in every plot. They are never sorted by value: two arms
that are not separated would look ranked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.cbook import boxplot_stats

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import FOOT, HEAD, SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale, even_scale, log_scale

WIDTH = 380.0
LEFT = 92.0
RIGHT = WIDTH - 84.0
ROW = 19.0
LONGEST_NAME = 12
LONGEST_STATUS = 44

Looks = Mapping[str, theme.Mark]
Colour = Callable[[str], str]


def cost(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing:
    """Cost per operation with its interval, on a logarithmic axis."""
    sheet = _Sheet(benchmark, looks, colour)
    measured = [arm for arm in sheet.arms if arm.status == "ok" and math.isfinite(arm.cost)]
    better = "left is better" if wording.lower_is_better(benchmark) else "right is better"
    what = wording.per_operation(benchmark)
    if benchmark.measure != "value":  # whose unit is written as it is: us
        what = f"{what[:1].upper()}{what[1:]}"
    title = f"{what}: {better}"
    sheet.head(title, "bar: 95 % interval over processes · log scale")
    scale = log_scale(_ends(measured), LEFT, RIGHT, least=1.5)
    sheet.axis(scale, lambda at: wording.amount(at, benchmark), apart=54)

    said = []
    for arm in measured:
        sheet.interval(arm, scale, arm.cost, arm.cost_low, arm.cost_high)
        sheet.value(arm, wording.amount(arm.cost, benchmark))
        said.append(f"{arm.arm} {wording.cost_interval(arm, benchmark)}")
    return sheet.drawing(title, said)


def ratio(benchmark: BenchmarkSummary, looks: Looks, reference: str, colour: Colour) -> Drawing:
    """Cost relative to the reference with the paired interval; hollow where not separated."""
    sheet = _Sheet(benchmark, looks, colour)
    compared = [arm for arm in sheet.arms if arm.status == "ok" and arm.ratio is not None]
    title = f"Relative to {reference}: left of 1 is better"
    sheet.head(title, "bar: 95 % paired interval · hollow: no clear difference")
    ends = [1.0]
    for arm in compared:
        assert arm.ratio is not None
        ends += [arm.ratio.low, arm.ratio.estimate, arm.ratio.high]
    scale = log_scale(ends, LEFT, RIGHT, least=1.25)
    sheet.noise(scale)
    sheet.axis(scale, wording.tick, apart=34)
    sheet.rule(scale(1.0))

    said = []
    for arm in sheet.arms:
        if arm.arm == reference and arm.status == "ok":
            sheet.value(arm, "reference", role=theme.MUTED)
    for arm in compared:
        if arm.arm == reference:
            continue
        of = arm.ratio
        assert of is not None
        hollow = not wording.is_separated(arm)
        sheet.interval(arm, scale, of.estimate, of.low, of.high, hollow=hollow)
        sheet.value(arm, wording.ratio(of.estimate), role=theme.MUTED if hollow else theme.INK)
        said.append(f"{arm.arm} {wording.interval(of)} {wording.verdict(arm, benchmark)}")
    return sheet.drawing(title, said)


def spread(benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> Drawing:
    """Every process's value against its own arm's cost: how much luck is in one process. Off a
    cost of zero or less, as measured values may be, nothing is so many percent."""
    sheet = _Sheet(benchmark, looks, colour)
    shown = [arm for arm in sheet.arms if arm.status == "ok" and arm.values and arm.cost > 0]
    title = "Spread between processes: narrow is better"
    sheet.head(title, "dot: one process · box: middle half · % off the loop's own cost")
    offs = {arm.arm: [(value / arm.cost - 1) * 100 for value in arm.values] for arm in shown}
    scale = even_scale([off for row in offs.values() for off in row], LEFT, RIGHT, least=2.0)
    sheet.axis(scale, lambda at: f"{at:+g}" if at else "0", apart=30)
    sheet.rule(scale(0.0))

    said = []
    for arm in shown:
        off = offs[arm.arm]
        sheet.strip(arm, scale, off)
        sheet.value(arm, f"n = {len(off)}", role=theme.MUTED)
        said.append(f"{arm.arm} {min(off):+.1f} to {max(off):+.1f} %")
    return sheet.drawing(title, said)


def _ends(arms: Sequence[ArmSummary]) -> list[float]:
    return [end for arm in arms for end in (arm.cost_low, arm.cost, arm.cost_high)]


class _Sheet:
    """One row per arm: name on the left, data in the middle, a figure on the right."""

    def __init__(self, benchmark: BenchmarkSummary, looks: Looks, colour: Colour) -> None:
        self.benchmark, self.looks = benchmark, looks
        self.arms = wording.candidates(benchmark)
        self.row = {arm.arm: HEAD + (index + 0.5) * ROW for index, arm in enumerate(self.arms)}
        self.bottom = HEAD + len(self.arms) * ROW
        self.canvas = Canvas(WIDTH, self.bottom + FOOT, colour)

    def head(self, title: str, subtitle: str) -> None:
        head(self.canvas, title, subtitle)
        stripes(self.canvas, HEAD, ROW, len(self.arms))
        for arm in self.arms:
            leads = arm.arm in self.benchmark.fastest
            name = wording.shorten(arm.arm, LONGEST_NAME)
            self.canvas.text(LEFT - 8, self.row[arm.arm], name, align="right", bold=leads)

    def axis(self, scale: Scale, words: Callable[[float], str], apart: float) -> None:
        axis(self.canvas, scale, HEAD, self.bottom, words, apart)

    def rule(self, x: float) -> None:
        self.canvas.lines([(x, HEAD, x, self.bottom)], theme.MUTED, 1.2)

    def noise(self, scale: Scale) -> None:
        """The reference against its own copy: differences as small as this band are noise."""
        aa = self.benchmark.aa
        if aa is None:
            return
        left, right = scale(max(aa.low, scale.low)), scale(min(aa.high, scale.high))
        self.canvas.box(left, HEAD, max(right - left, 1), self.bottom - HEAD, theme.BAND)

    def interval(
        self,
        arm: ArmSummary,
        scale: Scale,
        at: float,
        low: float,
        high: float,
        hollow: bool = False,
    ) -> None:
        y, mark = self.row[arm.arm], self.looks[arm.arm]
        left, right = scale(low), scale(high)
        ends = [(left, y, right, y)]
        # No cap where the interval goes on beyond the plot: it has no end there.
        ends += [(scale(end), y - 3, scale(end), y + 3) for end in (low, high) if scale.holds(end)]
        self.canvas.lines(ends, mark.role, 1.6)
        self.canvas.dots([scale(at)], [y], mark, hollow=hollow)

    def strip(self, arm: ArmSummary, scale: Scale, values: Sequence[float]) -> None:
        y, mark = self.row[arm.arm], self.looks[arm.arm]
        box = boxplot_stats(values)[0]
        left, middle, right = (scale(box[key]) for key in ("q1", "med", "q3"))
        self.canvas.box(left, y - 6, max(right - left, 0.5), 12, mark.role, outline=True)
        self.canvas.lines([(middle, y - 6, middle, y + 6)], mark.role, 1.8)
        # Three lanes keep equal values apart; the lane carries no meaning.
        lanes = [y + (-3.2, 0.0, 3.2)[index % 3] for index in range(len(values))]
        points = [*zip(map(scale, values), lanes, strict=True)]
        self.canvas.specks(points, mark.role, size=3.4)

    def value(self, arm: ArmSummary, words: str, role: str = theme.INK) -> None:
        self.canvas.text(WIDTH - 2, self.row[arm.arm], words, role=role, align="right", size=10)

    def absent(self, arm: ArmSummary, tint: str) -> None:
        """That the row is empty, on a strip that no grid line crosses; the table says why."""
        y = self.row[arm.arm]
        words = wording.shorten(wording.status(arm), LONGEST_STATUS)
        self.canvas.box(LEFT, y - ROW / 2, WIDTH - LEFT, ROW, tint)
        self.canvas.text(LEFT + 2, y, words, role=theme.MUTED, size=SMALL)

    def drawing(self, title: str, said: list[str]) -> Drawing:
        for index, arm in enumerate(self.arms):
            if arm.status != "ok":
                self.absent(arm, theme.SURFACE if index % 2 else theme.STRIPE)
        absent = [f"{arm.arm} {wording.status(arm)}" for arm in self.arms if arm.status != "ok"]
        words = "; ".join([*said, *absent]) or "no arm has a value"
        return Drawing(self.canvas, title, f"{self.benchmark.id}. {words}.")
