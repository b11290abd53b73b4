"""The chart of the first screen: which loop for what. One row per loop, one panel per family with
the loop's mean cost relative to the reference, and beside them how many promises the loop breaks.

The rows keep the order of the run file. A loop that lacks some of a family's benchmarks is drawn in
grey with how many it has in place of its figure: it is not compared with the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loopgauge.harness.summary import FamilyArm, FamilySummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.arms import Looks
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import SMALL, Drawing, head
from loopgauge.reports.plots.scale import Scale, log_scale

ARROW = "\u2192"
FURTHEST = 5.0  # one loop at 80 times the cost would squeeze all others into a corner
HEAD_LINE = 14.0
BAND_HEAD = 34.0  # name of the family, and how many benchmarks it has
BAND_FOOT = 34.0  # ticks, and air
ROW = 20.0
VALUE = 84.0  # of a panel, for the figure: "0.54 (31 of 43)"
LETTER = 6.6  # a generous mean width at the text size used
TICKS_APART = 20.0
MOST = 15  # families of one chart; a foreign file may name a thousand
PROMISES = "MUST cases broken"
NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Layout:
    width: float
    names: float  # of the column with the loops' names
    panels: int  # side by side
    versions: bool  # beside the names
    promises: float  # of the column right of the first panels; 0: it gets a band of its own


WIDE = Layout(width=960, names=126, panels=4, versions=True, promises=132)
NARROW = Layout(width=370, names=104, panels=1, versions=False, promises=0)


def chart(
    run: RunSummary,
    families: Sequence[FamilySummary],
    looks: Looks,
    layout: Layout,
    colour: Callable[[str], str],
) -> Drawing:
    """`families` are of one kind, and not empty; only MOST are drawn."""
    return _Chart(run, families[:MOST], looks, layout, colour).drawing()


def absent(run: RunSummary, family: FamilySummary, arm: str) -> str:
    """Why a loop has no figure in a family, in a word or two."""
    statuses = Counter(
        wording.status(found)
        for benchmark in run.benchmarks
        if benchmark.id in family.benchmarks
        for found in benchmark.arms
        if found.arm == arm and found.status != "ok"
    )
    return next(iter(statuses)) if len(statuses) == 1 else "no valid result"


def short_name(arm: str, length: int) -> str:
    """ "…loops.mine" of "package.loops.mine:new_event_loop": its beginning is what all have."""
    module, colon, _ = arm.partition(":")
    if len(arm) <= length or not colon:
        return wording.shorten(arm, length)
    return module if len(module) <= length else f"…{module[1 - length :]}"


class _Chart:
    def __init__(
        self,
        run: RunSummary,
        families: Sequence[FamilySummary],
        looks: Looks,
        layout: Layout,
        colour: Callable[[str], str],
    ) -> None:
        self.run, self.families, self.looks, self.layout = run, families, looks, layout
        loaded = {arm.label for arm in run.header.arms if arm.available}
        self.arms = [arm.arm for arm in families[0].arms if arm.arm in loaded]
        self.versions = {arm.label: arm.version for arm in run.header.arms}
        self.promises = {each.arm: each for each in run.promises}
        self.title, subtitles = self._head()
        bands = [families[at : at + layout.panels] for at in range(0, len(families), layout.panels)]
        height = BAND_HEAD + ROW * len(self.arms) + BAND_FOOT
        alone = self._has_promises() and not layout.promises
        top = 22 + HEAD_LINE * len(subtitles)
        self.canvas = Canvas(layout.width, top + height * (len(bands) + alone), colour)
        head(self.canvas, self.title, *subtitles)
        for number, band in enumerate(bands):
            self._band(top + height * number, band, beside=number == 0)
        if alone:
            self._promises_alone(top + height * len(bands))

    def drawing(self) -> Drawing:
        return Drawing(self.canvas, self.title, self._in_words())

    def _head(self) -> tuple[str, list[str]]:
        reference = self.run.reference
        what = "Waiting" if self.families[0].kind == "wait" else "Cost"
        better = "sooner" if self.families[0].kind == "wait" else "faster"
        title = f"{what} relative to {reference}, by family: left is {better}"
        said = [
            "Dot: geometric mean over the family's benchmarks. Bar: 95 % interval over processes.",
            f"Bold: fastest, or not separated from it. Hollow: no clear difference to {reference}.",
            "Grey ring, 0.54 (22 of 25): over the benchmarks it has only, so it is not ranked.",
        ]
        if self.layout.panels > 1:
            return title, [said[0], " ".join(said[1:])]
        return f"{what} by family: left is {better}", [
            "Relative to " + reference + ", mean over benchmarks; bar: 95 % interval.",
            "Bold: fastest, or not separated from it.",
            f"Hollow: no clear difference to {reference}.",
            "Grey ring: over some of the benchmarks only, not ranked.",
        ]

    def _has_promises(self) -> bool:
        return bool(self.promises)

    def _scale(self, left: float, right: float) -> Scale:
        """The same for every panel."""
        ends = [1.0]
        for family in self.families:
            for arm in family.arms:
                if arm.ratio is not None and wording.has_interval(arm.ratio):
                    ends += [arm.ratio.low, arm.ratio.high]
                elif arm.ratio is not None:
                    ends.append(arm.ratio.estimate)
        return log_scale((end for end in ends if end <= FURTHEST), left, right, least=1.5)

    def _band(self, top: float, band: Sequence[FamilySummary], *, beside: bool) -> None:
        promises = self.layout.promises if beside and self._has_promises() else 0.0
        room = self.layout.width - self.layout.names - self.layout.promises
        width = (room + self.layout.promises - promises) / min(
            self.layout.panels, len(self.families)
        )
        self._names(top)
        for number, family in enumerate(band):
            self._panel(family, top, self.layout.names + width * number, width)
        if promises:
            self._promises(top, self.layout.width - promises + 12, self.layout.width)

    def _y(self, top: float, index: int) -> float:
        return top + BAND_HEAD + ROW * (index + 0.5)

    def _names(self, top: float) -> None:
        for row in range(0, len(self.arms), 2):
            edge = top + BAND_HEAD + row * ROW
            self.canvas.box(0, edge, self.layout.width, ROW, theme.STRIPE)
        longest = int((self.layout.names - 22) / LETTER)
        for index, arm in enumerate(self.arms):
            y = self._y(top, index)
            if arm in self.looks:
                self.canvas.dots([8], [y], self.looks[arm])
            name = short_name(arm, longest)
            self.canvas.text(18, y, name)
            version = wording.shorten(self.versions.get(arm, ""), 9)
            if self.layout.versions and len(name) + len(version) < longest:
                x = 22 + LETTER * len(name)
                self.canvas.text(x, y, version, role=theme.MUTED, size=SMALL - 1)

    def _panel(self, family: FamilySummary, top: float, x: float, width: float) -> None:
        scale = self._scale(x + 8, x + width - VALUE - 8)
        first, last = top + BAND_HEAD, top + BAND_HEAD + ROW * len(self.arms)
        count = len(family.compared)
        words = wording.shorten(wording.family(family.family), int(width / LETTER))
        self.canvas.text(x + 8, top + 9, words, bold=True)
        whole = sum(benchmark.family == family.family for benchmark in self.run.benchmarks)
        counted = f"{count} benchmark{'s' * (count != 1)}"
        if count < whole:
            counted = f"{count} of {whole} benchmarks"
        self.canvas.text(x + 8, top + 24, counted, role=theme.MUTED, size=SMALL)
        if family.aa is not None and wording.has_interval(family.aa):
            left, right = scale(family.aa.low), scale(family.aa.high)
            self.canvas.box(left, first, max(right - left, 1.0), last - first, theme.BAND)
        ticks = scale.ticks(TICKS_APART)
        self.canvas.lines([(scale(at), first, scale(at), last) for at in ticks], theme.GRID, 0.8)
        for at in ticks:
            self.canvas.text(
                scale(at), last + 9, wording.tick(at), role=theme.MUTED, size=SMALL, align="center"
            )
        self.canvas.lines([(scale(1.0), first, scale(1.0), last)], theme.MUTED, 1.2)
        for arm in family.arms:
            if arm.arm in self.arms:
                y = self._y(top, self.arms.index(arm.arm))
                self._arm(family, arm, y, scale, x + width - 6)

    def _arm(
        self, family: FamilySummary, arm: FamilyArm, y: float, scale: Scale, right: float
    ) -> None:
        if arm.ratio is None:
            words = absent(self.run, family, arm.arm)
            self.canvas.text(right, y, words, role=theme.MUTED, size=SMALL, align="right")
            return
        self._point(arm, y, scale)
        if not arm.complete:
            words = f"{wording.ratio(arm.ratio.estimate)} ({arm.measured} of {arm.asked})"
            self.canvas.text(right, y, words, role=theme.MUTED, size=SMALL, align="right")
            return
        leads = arm.arm in family.undecided
        if leads:
            self.canvas.box(right - 40, y - 8, 44, 16, theme.LEAD)
        figure = "1" if arm.verdict == "reference" else wording.ratio(arm.ratio.estimate)
        self.canvas.text(right, y, figure, align="right", bold=leads)

    def _point(self, arm: FamilyArm, y: float, scale: Scale) -> None:
        if arm.verdict == "reference" or arm.ratio is None:
            return
        mark = self.looks[arm.arm] if arm.complete else theme.Mark(theme.MUTED, "o")
        if arm.ratio.estimate > scale.high:
            self.canvas.text(scale(scale.high) - 2, y, ARROW, role=mark.role, align="right")
            return
        if wording.has_interval(arm.ratio):
            low, high = scale(arm.ratio.low), scale(arm.ratio.high)
            self.canvas.lines([(low, y, high, y)], mark.role, 1.6 if arm.complete else 0.8)
        hollow = not arm.complete or arm.verdict not in ("faster", "slower")
        size = 6.5 if arm.complete else 4.5
        self.canvas.dots([scale(arm.ratio.estimate)], [y], mark, size=size, hollow=hollow)

    def _promises_alone(self, top: float) -> None:
        self._names(top)
        self._promises(top, self.layout.names + 8, self.layout.width - 6)

    def _promises(self, top: float, left: float, right: float) -> None:
        """A bar as long as the share of the cases asked."""
        self.canvas.text(left, top + 9, PROMISES, bold=True)
        self.canvas.text(left, top + 24, "failed of asked", role=theme.MUTED, size=SMALL)
        for index, arm in enumerate(self.arms):
            y, found = self._y(top, index), self.promises.get(arm)
            if found is None or not found.known or not found.must:
                self.canvas.text(right, y, NOT_ASKED, role=theme.MUTED, size=SMALL, align="right")
                continue
            share = found.must_failing / found.must
            self.canvas.box(left, y - 7, share * (right - left), 14, theme.BAND)
            words = f"{found.must_failing} of {found.must}"
            self.canvas.text(right, y, words, align="right", bold=not found.must_failing)

    def _in_words(self) -> str:
        said = [self._family_in_words(family) for family in self.families]
        told = [
            f"{each.arm} {each.must_failing} of {each.must}"
            for each in self.run.promises
            if each.known and each.must
        ]
        said += [f"{PROMISES}: {', '.join(told)}"] if told else []
        return ". ".join(said)

    def _family_in_words(self, family: FamilySummary) -> str:
        arms = []
        for arm in family.arms:
            if arm.ratio is None:
                arms.append(f"{arm.arm} {absent(self.run, family, arm.arm)}")
            elif arm.verdict != "reference":
                part = "" if arm.complete else f" over {arm.measured} of {arm.asked}"
                arms.append(f"{arm.arm} {wording.interval(arm.ratio)}{part}")
        fastest = ", ".join(family.fastest) or wording.DASH
        return f"{wording.family(family.family)}: fastest {fastest}; {', '.join(arms)}"
