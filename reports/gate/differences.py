"""What grew and what shrank, part by part: head minus base, one bar a function or system call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loopgauge.harness.gate.evidence import Part
from loopgauge.reports import wording
from loopgauge.reports.gate import words
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import FOOT, HEAD, SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import even_scale

WIDTH = 560.0
LEFT = 250.0
ROW = 20.0
BAR = 12.0
LONGEST_NAME = 38
VALUE = 74.0  # room on the right for the figure
MORE, LESS = "arm1", "arm2"


def differences(parts: Sequence[Part], what: str, colour: Callable[[str], str]) -> Drawing:
    """`what`: "instructions per step"."""
    bottom = HEAD + ROW * len(parts)
    canvas = Canvas(WIDTH, bottom + FOOT, colour)
    title = f"Difference of {what}: left is better"
    head(canvas, title, "head minus base, the largest differences")
    stripes(canvas, HEAD, ROW, len(parts))
    scale = even_scale([part.change for part in parts], LEFT, WIDTH - VALUE, least=1e-9)
    axis(canvas, scale, HEAD, bottom, lambda at: words.signed(at) if at else "0", apart=62)
    canvas.lines([(scale(0.0), HEAD, scale(0.0), bottom)], theme.MUTED, 1.2)
    for number, part in enumerate(parts):
        y = HEAD + ROW * (number + 0.5)
        left, right = sorted((scale(0.0), scale(part.change)))
        canvas.box(
            left, y - BAR / 2, max(right - left, 0.8), BAR, MORE if part.change > 0 else LESS
        )
        canvas.text(LEFT - 10, y, name_of(part), size=SMALL, align="right")
        canvas.text(WIDTH - 2, y, words.signed(part.change), size=SMALL, align="right")
    said = (f"{words.one_line(part.name)} {words.signed(part.change)}" for part in parts)
    return Drawing(canvas, title, "; ".join(said))


def name_of(part: Part) -> str:
    """Without the file in brackets that a count has; the table beside the plot names it."""
    return wording.shorten(words.one_line(part.name).partition(" [")[0], LONGEST_NAME)
