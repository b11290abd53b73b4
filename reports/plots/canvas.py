"""A sheet of paper in pixels, y downwards, on which matplotlib draws.

Artists go straight onto the figure, without Axes: a report has several plots per benchmark, an Axes
with its ticks costs 40 ms each, and labels that sit in columns beside the data want exact pixels.
Without Axes one plot takes about 5 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from loopgauge.reports.plots import svg, theme

POINTS_PER_INCH = 72  # one unit of the canvas is one point of the figure

DASHES = (2.0, 4.0)  # on and off, in pixels; round ends take from the gap
PAINTERS_ORDER = 1  # the same for all: what is drawn later lies on top
BASELINE = 0.36  # of the text size: from the middle of capitals down to the baseline

STYLE: Any = {"font.family": "DejaVu Sans", "text.usetex": False, "text.parse_math": False}


class Line(Artist):
    """One line of text whose baseline is known, so that an SVG needs no layout: the reader's
    browser does the alignment, and measuring glyphs would be half of the time of a report."""

    def __init__(self, x: float, y: float, words: str, look: svg.Look) -> None:
        super().__init__()
        self.x, self.y, self.words, self.look = x, y, words, look
        self.set_zorder(PAINTERS_ORDER)

    def draw(self, renderer: Any) -> None:
        if isinstance(renderer, svg.Renderer):
            x, y = self.get_transform().transform((self.x, self.y))
            renderer.draw_line(x, y, self.words, self.look)
            return
        text = Text(
            self.x,
            self.y,
            self.words,
            color=self.look.colour,
            fontsize=self.look.size,
            fontweight="bold" if self.look.bold else "normal",
            horizontalalignment=self.look.align,
            verticalalignment="baseline",
            rotation=90 if self.look.upright else 0,
            rotation_mode="anchor",
            parse_math=False,
            transform=self.get_transform(),
        )
        figure = self.get_figure(root=False)
        assert figure is not None
        text.set_figure(figure)
        text.draw(renderer)


class Shape(Artist):
    """A path, filled or stroked or both, or a marker at every point of a path. Matplotlib's own
    patches and lines do the same with ten times the properties, which cost as much as drawing."""

    def __init__(
        self,
        path: Path,
        *,
        face: str | None = None,
        edge: str = "black",
        width: float = 0.0,
        rounded: bool = False,
        dashed: bool = False,
        marker: MarkerStyle | None = None,
        size: float = 0.0,
    ) -> None:
        super().__init__()
        self.path, self.face, self.edge, self.width = path, face, edge, width
        self.rounded, self.dashed, self.marker, self.size = rounded, dashed, marker, size
        self.set_zorder(PAINTERS_ORDER)

    def draw(self, renderer: Any) -> None:
        gc = renderer.new_gc()
        gc.set_linewidth(renderer.points_to_pixels(self.width))
        gc.set_foreground(self.edge)
        gc.set_capstyle("round" if self.rounded else "butt")
        gc.set_joinstyle("round" if self.rounded else "miter")
        if self.rounded:
            gc.set_snap(False)
        if self.dashed:
            gc.set_dashes(0, [renderer.points_to_pixels(length) for length in DASHES])
        face = None if self.face is None else to_rgba(self.face)
        place = self.get_transform()
        if self.marker is None:
            renderer.draw_path(gc, self.path, place, face)
        else:
            across = renderer.points_to_pixels(self.size)
            shape = Affine2D(self.marker.get_transform().get_matrix()).scale(across)
            renderer.draw_markers(gc, self.marker.get_path(), shape, self.path, place, face)
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
        align: svg.Align = "left",
        bold: bool = False,
        upright: bool = False,
    ) -> None:
        """One line of text, vertically centred on `y`, or horizontally on `x` where it stands
        upright (reading upwards); never read as mathematics."""
        down, right = (0.0, BASELINE * size) if upright else (BASELINE * size, 0.0)
        look = svg.Look(self.colour(role), size, align, bold, upright)
        self._add(Line(x + right, y + down, words, look))

    def lines(
        self, ends: Sequence[tuple[float, float, float, float]], role: str, width: float = 1.0
    ) -> None:
        """Straight strokes (x0, y0, x1, y1) as one path: it is one element of the SVG."""
        points = [point for x0, y0, x1, y1 in ends for point in ((x0, y0), (x1, y1))]
        codes = [Path.MOVETO, Path.LINETO] * len(ends)
        if points:
            self._add(Shape(Path(points, codes), edge=self.colour(role), width=width))

    def curve(
        self,
        points: Sequence[tuple[float, float]],
        role: str,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """One stroke through all points."""
        if len(points) > 1:
            edge = self.colour(role)
            shape = Shape(Path(points), edge=edge, width=width, rounded=True, dashed=dashed)
            self._add(shape)

    def area(self, points: Sequence[tuple[float, float]], role: str) -> None:
        """The polygon with these corners, filled."""
        self._add(Shape(Path([*points, points[0]], closed=True), face=self.colour(role)))

    def specks(self, points: Sequence[tuple[float, float]], role: str, size: float) -> None:
        """Many round dots as one path: each a stroke of next to no length (a bitmap drops those of
        none) whose ends are round."""
        if points:
            twice = [end for x, y in points for end in ((x, y), (x + 0.02, y))]
            codes = [Path.MOVETO, Path.LINETO] * len(points)
            shape = Shape(Path(twice, codes), edge=self.colour(role), width=size, rounded=True)
            self._add(shape)

    def box(
        self, x: float, y: float, width: float, height: float, role: str, outline: bool = False
    ) -> None:
        colour = self.colour(role)
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
        path = Path(corners, closed=True)
        if outline:
            self._add(Shape(path, edge=colour, width=1.1))
        else:
            self._add(Shape(path, face=colour))

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
        self._add(
            Shape(
                Path([*zip(xs, ys, strict=True)]),
                marker=MarkerStyle(mark.marker),
                size=size,
                face=self.colour(theme.SURFACE if hollow else mark.role),
                edge=self.colour(mark.role),
                width=1.3 if hollow else 0.4,
            )
        )

    def _add(self, artist: Artist) -> None:
        artist.set_transform(self.place)
        self.figure.add_artist(artist)

    def svg(self) -> svg.Renderer:
        """What was drawn, as the elements of an SVG."""
        self._lay_out(margin=0)
        self.figure.set_dpi(POINTS_PER_INCH)
        renderer = svg.Renderer(self.width, self.height)
        self.figure.draw(renderer)
        return renderer

    def png(self, scale: float = 2.0) -> bytes:
        """A bitmap on white with a margin, `scale` device pixels per unit."""
        self._lay_out(svg.MARGIN)
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
