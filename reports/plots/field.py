"""A plot with two axes, for curves: one per arm, told apart by colour and by marker.

The arms stand below in the order of the run file, like the rows of every other plot: a list in the
order of the curves would be a ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loopgauge.harness.summary import BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import HEAD, SMALL, Drawing, head
from loopgauge.reports.plots.scale import Scale

WIDTH = 380.0
LEFT = 56.0
RIGHT = WIDTH - 10.0
TOP = HEAD + 4
BOTTOM = TOP + 176.0
LEGEND = BOTTOM + 46.0  # middle of its first line; ticks and the axis' label are above
LINE = 15.0
LETTER = 6.4  # a generous mean width at the size of the legend
LONGEST_NAME = 16

Looks = Mapping[str, theme.Mark]
Colour = Callable[[str], str]


class Field:
    """`x` maps to LEFT...RIGHT, `y` to BOTTOM...TOP."""

    def __init__(
        self,
        title: str,
        subtitle: str,
        arms: Sequence[str],
        looks: Looks,
        colour: Colour,
    ) -> None:
        self.title, self.looks = title, looks
        lines = _legend(arms)
        self.canvas = Canvas(WIDTH, LEGEND + LINE * (len(lines) - 0.5), colour)
        head(self.canvas, title, subtitle)
        for number, line in enumerate(lines):
            y = LEGEND + LINE * number
            for x, arm in line:
                self.canvas.dots([x], [y], looks[arm])
                name = wording.shorten(arm, LONGEST_NAME)
                self.canvas.text(x + 8, y, name, size=SMALL)

    def axes(
        self,
        x: Scale,
        y: Scale,
        x_words: Callable[[float], str],
        y_words: Callable[[float], str],
        label: str,
        x_ticks: Sequence[float] | None = None,
    ) -> None:
        """Grid, ticks, and what the horizontal axis is; the title says what the vertical one is."""
        across = x.ticks(apart=46) if x_ticks is None else x_ticks
        up = y.ticks(apart=22)
        strokes = [(x(at), TOP, x(at), BOTTOM) for at in across]
        strokes += [(LEFT, y(at), RIGHT, y(at)) for at in up]
        self.canvas.lines(strokes, theme.GRID, 0.8)
        for at in across:
            self._tick(x(at), BOTTOM + 10, x_words(at))
        for at in up:
            words = y_words(at)
            self.canvas.text(LEFT - 6, y(at), words, role=theme.MUTED, size=SMALL, align="right")
        self._tick((LEFT + RIGHT) / 2, BOTTOM + 26, label)

    def _tick(self, x: float, y: float, words: str) -> None:
        self.canvas.text(x, y, words, role=theme.MUTED, size=SMALL, align="center")

    def level(self, y: float) -> None:
        """A line of reference from left to right."""
        self.canvas.lines([(LEFT, y, RIGHT, y)], theme.MUTED, 1.2)

    def drawing(self, said: Sequence[str]) -> Drawing:
        return Drawing(self.canvas, self.title, f"{'; '.join(said)}.")


def ticks_of(benchmark: BenchmarkSummary) -> Callable[[float], str]:
    """Times with their unit; a value of its own bare, because its unit may be a sentence."""
    if benchmark.measure == "value":
        return plain
    return time_tick


def plain(value: float) -> str:
    """102400 becomes 102 400; a tenth stays 0.1."""
    text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return text.replace(",", wording.NARROW_SPACE)


def time_tick(nanoseconds: float) -> str:
    factor, unit = wording.time_unit(nanoseconds)
    return f"{nanoseconds / factor:.3g} {unit}"


def _legend(arms: Sequence[str]) -> list[list[tuple[float, str]]]:
    """Broken into lines: x of the marker, and the arm."""
    lines: list[list[tuple[float, str]]] = [[]]
    x = 6.0
    for arm in arms:
        width = 24 + LETTER * min(len(arm), LONGEST_NAME)
        if x + width > WIDTH and lines[-1]:
            lines.append([])
            x = 6.0
        lines[-1].append((x, arm))
        x += width
    return lines
