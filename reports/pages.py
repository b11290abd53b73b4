"""What all pages share: the templates, their style, and how a page gets onto the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loopgauge.reports.plots import theme

TEMPLATES = Path(__file__).parent / "templates"


def environment(**more: Any) -> Environment:
    """`more`: what the templates call, beside the style."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        light=Markup(theme.css_variables(dark=False)),
        dark=Markup(theme.css_variables(dark=True)),
        **more,
    )
    return made


def write(text: str, out: Path) -> Path:
    """Writes a page to `out` (folders are made) and returns it. Raises OSError."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out
