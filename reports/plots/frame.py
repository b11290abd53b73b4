"""What every plot shares: a title, striped rows, grid and ticks, words for a screen reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loopgauge.reports.plots import svg, theme
from loopgauge.reports.plots.canvas import Canvas
from loopgauge.reports.plots.scale import Scale

HEAD = 44.0  # title and subtitle
FOOT = 18.0  # tick labels
TITLE_SIZE = 12.5
SMALL = 10.0


@dataclass(frozen=True)
class Drawing:
    """A finished plot; `description` says in words what the picture shows."""

    canvas: Canvas
    title: str
    description: str

    def page_svg(self, key: str) -> str:
        return svg.for_page(self.canvas.svg(), key, self.title, self.description)

    def file_svg(self) -> str:
        return svg.for_file(self.canvas.svg(), self.title, self.description)

    def png(self) -> bytes:
        return self.canvas.png()


def head(canvas: Canvas, title: str, *subtitles: str, left: float = 0.0) -> None:
    canvas.text(left, 10, title, size=TITLE_SIZE, bold=True)
    for line, words in enumerate(subtitles):
        canvas.text(left, 27 + 14 * line, words, role=theme.MUTED, size=SMALL)


def stripes(canvas: Canvas, top: float, row_height: float, rows: int) -> None:
    """Every other row tinted, so that the eye stays on its line."""
    for row in range(0, rows, 2):
        canvas.box(0, top + row * row_height, canvas.width, row_height, theme.STRIPE)


def axis(
    canvas: Canvas,
    scale: Scale,
    top: float,
    bottom: float,
    words: Callable[[float], str],
    apart: float,
) -> None:
    """Grid lines from top to bottom with labels under them, at least `apart` pixels from each
    other."""
    ticks = scale.ticks(apart)
    canvas.lines([(scale(at), top, scale(at), bottom) for at in ticks], theme.GRID, 0.8)
    for at in ticks:
        canvas.text(scale(at), bottom + 9, words(at), role=theme.MUTED, size=SMALL, align="center")
