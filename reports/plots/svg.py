"""SVG fit for a page: small, themed by CSS, described in words.

Matplotlib draws through a renderer; this one writes what a page needs and nothing else. Its own
SVG backend writes a stand-alone document with fixed colours, ids that collide when two plots share
a page, and six decimals per coordinate: three times the bytes, and twice the time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any, Literal

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from loopgauge.reports.plots import theme

MARGIN = 12  # around a plot in a file of its own; a page has margins already

Align = Literal["left", "center", "right"]
CIRCLE_CURVES = 8 * 3  # points of the curves of a circle
_ANCHOR: dict[Align, str] = {"left": "start", "center": "middle", "right": "end"}


@dataclass(frozen=True)
class Look:
    """Of a line of text: size in pixels, `upright` reads upwards."""

    colour: str
    size: float
    align: Align
    bold: bool
    upright: bool

    def style(self) -> str:
        weight = ";font-weight:600" if self.bold else ""
        words = f"font-size:{_number(self.size)}px{weight};text-anchor:{_ANCHOR[self.align]}"
        return f"{words};fill:{_colour(self.colour)}"


class Renderer(RendererBase):
    """Collects elements; one unit is one pixel, coordinates are kept to a tenth of it."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.elements: list[tuple[str, str]] = []  # style, and the element without it
        self.lines: list[tuple[str, str]] = []  # of text

    def body(self) -> str:
        """Neighbours of one style share it. Text lies on top, all of one style together."""
        lines = sorted(self.lines, key=lambda line: line[0])
        return "".join(_grouped([*self.elements, *lines]))

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def points_to_pixels(self, points: Any) -> Any:
        return points

    def draw_path(
        self, gc: GraphicsContextBase, path: Path, transform: Any, rgbFace: Any = None
    ) -> None:
        flipped = self._downwards(transform).translate(0, self.height)
        self.elements.append((_style(gc, rgbFace), f'<path d="{_data(path, flipped)}"/>'))

    def draw_markers(
        self,
        gc: GraphicsContextBase,
        marker_path: Path,
        marker_trans: Any,
        path: Path,
        trans: Any,
        rgbFace: Any = None,
    ) -> None:
        shape = marker_path.transformed(self._downwards(marker_trans))
        points = np.asarray(trans.transform(path.vertices))
        outline = "".join(_outline(shape, x, self.height - y) for x, y in points)
        self.elements.append((_style(gc, rgbFace), f'<path d="{outline}"/>'))

    def _downwards(self, transform: Any) -> Affine2D:
        """Matplotlib's y points upwards."""
        return Affine2D(transform.get_matrix()).scale(1, -1)

    def draw_line(self, x: float, y: float, words: str, look: Look) -> None:
        """A line of text, its baseline at `y`."""
        left, top = _number(x), _number(self.height - y)
        turn = f' transform="rotate(-90 {left} {top})"' if look.upright else ""
        line = f'<text x="{left}" y="{top}"{turn}>{escape(words, quote=False)}</text>'
        self.lines.append((look.style(), line))


def for_page(renderer: Renderer, key: str, title: str, description: str) -> str:
    """An <svg> element to put inside HTML. `key` must differ for every plot of the page."""
    return (
        f'<svg viewBox="0 0 {renderer.width:g} {renderer.height:g}" role="img" '
        f'aria-labelledby="{key}t {key}d"><title id="{key}t">{escape(title)}</title>'
        f'<desc id="{key}d">{escape(description)}</desc>{renderer.body()}</svg>'
    )


def for_file(renderer: Renderer, title: str, description: str) -> str:
    """A stand-alone SVG file that follows the reader's light or dark setting."""
    width, height = renderer.width + 2 * MARGIN, renderer.height + 2 * MARGIN
    box = f"{-MARGIN} {-MARGIN} {width:g} {height:g}"
    style = (
        f"svg{{{theme.css_variables(dark=False)}font-family:system-ui,sans-serif}}"
        f"@media (prefers-color-scheme:dark){{svg{{{theme.css_variables(dark=True)}}}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="{box}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc><style>{style}</style>"
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%" '
        f'style="fill:var(--surface)"/>{renderer.body()}</svg>'
    )


def _grouped(elements: Iterable[tuple[str, str]]) -> Iterable[str]:
    for style, group in itertools.groupby(elements, key=lambda element: element[0]):
        yield f'<g style="{style}">{"".join(element for _, element in group)}</g>'


def _style(gc: Any, face: Any) -> str:
    words = [f"fill:{_colour(tuple(face)) if face is not None else 'none'}"]
    if gc.get_linewidth() > 0:
        words.append(f"stroke:{_colour(tuple(gc.get_rgb()))}")
        words.append(f"stroke-width:{gc.get_linewidth():g}")
        if gc.get_capstyle() == "round":
            words.append("stroke-linecap:round;stroke-linejoin:round")
        if (dashes := gc.get_dashes()[1]) is not None:
            words.append(f"stroke-dasharray:{' '.join(f'{length:g}' for length in dashes)}")
    return ";".join(words)


@lru_cache(maxsize=256)
def _colour(colour: Any) -> str:
    written = to_hex(colour)
    role = theme.role_of(written)
    return f"var(--{role})" if role else written


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _data(path: Path, transform: Any) -> str:
    """Path data; strokes along an axis, which plots are full of, need one coordinate only."""
    said: list[str] = []
    at: tuple[str, ...] = ("", "")
    for vertices, code in path.iter_segments(transform, simplify=False):
        if code == Path.CLOSEPOLY:
            said.append("z")
            continue
        numbers = tuple(_number(each) for each in vertices)
        if code == Path.MOVETO:
            said.append(f"M{' '.join(numbers)}")
        elif code != Path.LINETO:
            said.append(f"{'Q' if code == Path.CURVE3 else 'C'}{' '.join(numbers)}")
        elif numbers[1] == at[1]:  # of no length, too: a dot with round ends
            said.append(f"H{numbers[0]}")
        else:
            said.append(f"V{numbers[1]}" if numbers[0] == at[0] else f"L{numbers[0]} {numbers[1]}")
        at = numbers[-2:]
    return "".join(said)


def _outline(shape: Path, x: float, y: float) -> str:
    """A marker at a point; a circle, eight curves to matplotlib, as two arcs."""
    corners = np.asarray(shape.vertices, dtype=np.float64)
    if shape.codes is not None and np.count_nonzero(shape.codes == Path.CURVE4) == CIRCLE_CURVES:
        radius = float(np.max(corners[:, 0]))
        turn = f"a{_number(radius)} {_number(radius)} 0 1 0 "
        across = _number(2 * radius)
        return f"M{_number(x - radius)} {_number(y)}{turn}{across} 0{turn}-{across} 0z"
    return _data(Path(corners + np.array([x, y]), shape.codes), None)
