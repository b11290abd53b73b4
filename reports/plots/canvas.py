"""A sheet of paper in pixels, y downwards, on which matplotlib draws.

Artists go straight onto the figure, without Axes: a report has three plots per benchmark, an Axes
with its ticks costs 40 ms each, and labels that sit in columns beside the data want exact pixels.
Without Axes one plot takes about 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO, StringIO
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from loopgauge.reports.plots import theme
from loopgauge.reports.plots.svg import MARGIN

POINTS_PER_INCH = 72  # one unit of the canvas is one point of the figure

Align = Literal["left", "center", "right"]

PAINTERS_ORDER = 1  # the same for all: what is drawn later lies on top
BASELINE = 0.36  # of the text size: from the middle of capitals down to the baseline

# Text stays text (searchable, in the reader's font); ids do not depend on the process.
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "loopgauge",
    "font.family": "DejaVu Sans",
    "text.usetex": False,
    "text.parse_math": False,
}
NO_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Line(Text):
    """One line of text whose baseline is known, so that an SVG needs no layout: the reader's
    browser does the alignment, and measuring glyphs would be half of the time of a report."""

    def draw(self, renderer: Any) -> None:
        if not isinstance(renderer, MixedModeRenderer):
            super().draw(renderer)
            return
        x, y = self.get_transform().transform(self.get_unitless_position())
        gc = renderer.new_gc()
        gc.set_foreground(self.get_color())
        renderer.draw_text(
            gc, x, renderer.height - y, self.get_text(), self.get_fontproperties(), 0, mtext=self
        )
        gc.restore()


class Canvas:
    """Draws by role (`theme.INK`, "arm3"); `width` and `height` are pixels at 100 %."""

    def __init__(self, width: float, height: float, colour: Callable[[str], str]) -> None:
        self.width, self.height = width, height
        self.colour = colour
        self.figure = Figure()
        self.figure.patch.set_visible(False)
        self.origin = Affine2D()
        self.place = (
            Affine2D().scale(1 / POINTS_PER_INCH, -1 / POINTS_PER_INCH)
            + self.origin
            + self.figure.dpi_scale_trans
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        role: str = theme.INK,
        size: float = 11.0,
        align: Align = "left",
        bold: bool = False,
    ) -> None:
        """One line of text, vertically centred on `y`; never read as mathematics."""
        self.figure.add_artist(
            Line(
                x,
                y + BASELINE * size,
                words,
                color=self.colour(role),
                fontsize=size,
                fontweight="bold" if bold else "normal",
                horizontalalignment=align,
                verticalalignment="baseline",
                parse_math=False,
                zorder=PAINTERS_ORDER,
                transform=self.place,
            )
        )

    def lines(
        self, ends: Sequence[tuple[float, float, float, float]], role: str, width: float = 1.0
    ) -> None:
        """Straight strokes (x0, y0, x1, y1) as one path: it is one element of the SVG."""
        points = [point for x0, y0, x1, y1 in ends for point in ((x0, y0), (x1, y1))]
        codes = [Path.MOVETO, Path.LINETO] * len(ends)
        self.figure.add_artist(
            PathPatch(
                Path(points, codes),
                facecolor="none",
                edgecolor=self.colour(role),
                linewidth=width,
                capstyle="butt",
                zorder=PAINTERS_ORDER,
                transform=self.place,
            )
        )

    def box(
        self, x: float, y: float, width: float, height: float, role: str, outline: bool = False
    ) -> None:
        colour = self.colour(role)
        self.figure.add_artist(
            Rectangle(
                (x, y),
                width,
                height,
                facecolor="none" if outline else colour,
                edgecolor=colour if outline else "none",
                linewidth=1.1 if outline else 0,
                zorder=PAINTERS_ORDER,
                transform=self.place,
            )
        )

    def dots(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        mark: theme.Mark,
        *,
        size: float = 6.5,
        hollow: bool = False,
    ) -> None:
        """The arm's marker at each point."""
        self.figure.add_artist(
            Line2D(
                xs,
                ys,
                linestyle="none",
                marker=mark.marker,
                markersize=size,
                markerfacecolor=self.colour(theme.SURFACE if hollow else mark.role),
                markeredgecolor=self.colour(mark.role),
                markeredgewidth=1.3 if hollow else 0.4,
                zorder=PAINTERS_ORDER,
                transform=self.place,
            )
        )

    def svg(self) -> str:
        """Matplotlib's own SVG document."""
        self._lay_out(margin=0)
        FigureCanvasSVG(self.figure)
        out = StringIO()
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(out, format="svg", metadata=NO_METADATA)
        return out.getvalue()

    def png(self, scale: float = 2.0) -> bytes:
        """A bitmap on white with a margin, `scale` device pixels per unit."""
        self._lay_out(MARGIN)
        FigureCanvasAgg(self.figure)
        out = BytesIO()
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(
                out, format="png", dpi=POINTS_PER_INCH * scale, facecolor=theme.LIGHT[theme.SURFACE]
            )
        return out.getvalue()

    def _lay_out(self, margin: float) -> None:
        """The figure as large as the canvas and its margin; the origin at the upper left."""
        width, height = self.width + 2 * margin, self.height + 2 * margin
        self.figure.set_size_inches(width / POINTS_PER_INCH, height / POINTS_PER_INCH)
        self.origin.clear().translate(
            margin / POINTS_PER_INCH, (self.height + margin) / POINTS_PER_INCH
        )
