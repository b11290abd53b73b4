"""An arm's marker as a tiny picture for tables and legends in HTML."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from loopgauge.reports.plots import theme


def symbol(mark: theme.Mark, key: str) -> str:
    """The marker, to be used by its id `key` wherever the arm is named."""
    style = MarkerStyle(mark.marker)
    path = style.get_path().transformed(style.get_transform() + Affine2D().scale(10, -10))
    outlines = " ".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in np.asarray(polygon)) + "Z"
        for polygon in path.to_polygons()
    )
    return (
        f'<symbol id="{key}" viewBox="-7 -7 14 14">'
        f'<path d="{outlines}" style="fill:var(--{mark.role})"/></symbol>'
    )


def swatch(key: str) -> str:
    """An <svg> of the marker; decoration, because the arm's name stands beside it."""
    return f'<svg class="swatch" aria-hidden="true"><use href="#{key}"/></svg>'


def symbols(looks: Mapping[str, theme.Mark], key: str) -> tuple[str, dict[str, str]]:
    """What a page holds once, and by arm what stands at its name; `key` starts the ids."""
    keys = {arm: f"{key}m{number}" for number, arm in enumerate(looks)}
    once = "".join(symbol(look, keys[arm]) for arm, look in looks.items())
    hidden = f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{once}</svg>'
    return hidden, {arm: swatch(keys[arm]) for arm in looks}
