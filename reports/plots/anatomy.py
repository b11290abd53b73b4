"""Where the time of an operation goes, as bars: all loops on one scale, one loop by its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loopgauge.harness.explained import PARTS, Anatomy
from loopgauge.reports import wording
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.frame import FOOT, HEAD, SMALL, Drawing, axis, head, stripes
from loopgauge.reports.plots.scale import Scale

WIDTH = 760.0
NARROW = 420.0
LEFT = 120.0
VALUE = 84.0  # room on the right for the figure
ROW = 26.0
BAR = 15.0
LONGEST_NAME = 16

ROLES = {"kernel": "arm1", "loop": "arm0", "binding": "arm4", "Python": "arm2", "user": "arm6"}

Colour = Callable[[str], str]


def overview(loops: Sequence[Anatomy], operation: str, colour: Colour) -> Drawing:
    """CPU time per operation, one bar a loop, divided into its parts."""
    rows = [loop for loop in loops if loop.parts_ns]
    bottom = HEAD + 14 + len(rows) * ROW
    canvas = Canvas(WIDTH, bottom + FOOT, colour)
    title = f"CPU time per {operation}: shorter is better"
    head(canvas, title, "what it is spent on")
    legend(canvas, [part for part in ROLES if any(part in loop.parts_ns for loop in rows)], 150, 27)
    top = HEAD + 14
    stripes(canvas, top, ROW, len(rows))
    longest = max(sum(loop.parts_ns.values()) for loop in rows)
    scale = Scale(0.0, longest or 1.0, LEFT, WIDTH - VALUE, logarithmic=False)
    axis(canvas, scale, top, bottom, wording.duration, apart=70)
    said = []
    for number, loop in enumerate(rows):
        middle = top + (number + 0.5) * ROW
        canvas.text(0, middle, wording.shorten(loop.arm, LONGEST_NAME))
        at = 0.0
        for part, ns in loop.parts_ns.items():
            width = scale(at + ns) - scale(at)
            canvas.box(scale(at), middle - BAR / 2, width, BAR, ROLES[part])
            at += ns
        canvas.text(WIDTH, middle, wording.duration(at), size=SMALL, align="right")
        said.append(f"{loop.arm} {wording.duration(at)}: {in_words(loop)}")
    return Drawing(canvas, title, "; ".join(said))


def parts(loop: Anatomy, operation: str, colour: Colour) -> Drawing:
    """The parts of one loop, one bar each."""
    names = [part for part in (*PARTS, "user") if part in loop.parts_ns]
    bottom = HEAD + len(names) * ROW
    canvas = Canvas(NARROW, bottom + FOOT, colour)
    title = f"{loop.arm}: CPU time of one {operation}"
    head(canvas, title, "by part")
    stripes(canvas, HEAD, ROW, len(names))
    longest = max(loop.parts_ns.values())
    scale = Scale(0.0, longest or 1.0, 70.0, NARROW - VALUE, logarithmic=False)
    axis(canvas, scale, HEAD, bottom, wording.duration, apart=70)
    for number, part in enumerate(names):
        middle = HEAD + (number + 0.5) * ROW
        ns = loop.parts_ns[part]
        canvas.text(0, middle, part)
        canvas.box(scale(0.0), middle - BAR / 2, scale(ns) - scale(0.0), BAR, ROLES[part])
        canvas.text(NARROW, middle, wording.duration(ns), size=SMALL, align="right")
    return Drawing(canvas, title, in_words(loop))


def legend(canvas: Canvas, names: Sequence[str], x: float, y: float) -> None:
    for name in names:
        canvas.box(x, y - 5, 10, 10, ROLES[name])
        canvas.text(x + 15, y, name, role=theme.MUTED, size=SMALL)
        x += 78


def in_words(loop: Anatomy) -> str:
    said = (f"{part} {wording.duration(ns)}" for part, ns in loop.parts_ns.items())
    return ", ".join(said)
