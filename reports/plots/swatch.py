"""An arm's marker as a tiny picture for tables and legends in HTML."""

from __future__ import annotations

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from loopgauge.reports.plots import theme


def swatch(mark: theme.Mark) -> str:
    """An <svg> of the marker; decoration, because the arm's name stands beside it."""
    style = MarkerStyle(mark.marker)
    path = style.get_path().transformed(style.get_transform() + Affine2D().scale(10, -10))
    outlines = " ".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in np.asarray(polygon)) + "Z"
        for polygon in path.to_polygons()
    )
    return (
        '<svg class="swatch" viewBox="-7 -7 14 14" aria-hidden="true">'
        f'<path d="{outlines}" style="fill:var(--{mark.role})"/></svg>'
    )
