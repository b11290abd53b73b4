"""The page: one self-contained HTML file that opens anywhere, without network or script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loopgauge.harness.summary import RunSummary
from loopgauge.reports import counts, wording
from loopgauge.reports.exports.csv import csv_data_uri
from loopgauge.reports.plots import theme
from loopgauge.reports.view import view_of

TEMPLATES = Path(__file__).parent / "templates"


def render(summaries: Sequence[RunSummary], out: Path) -> Path:
    """Writes the page for these runs to `out` (folders are made) and returns it.

    Any summaries make a page, also none, or runs without one valid figure: it then says what it
    could not show and why. Raises OSError when `out` cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(summaries), encoding="utf-8")
    return out


def page(summaries: Sequence[RunSummary]) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        wording=wording,
        counts=counts,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        light=Markup(theme.css_variables(dark=False)),
        dark=Markup(theme.css_variables(dark=True)),
    )
    return environment.get_template("page.html.j2").render(
        runs=[view_of(run, number) for number, run in enumerate(summaries, 1)],
        csv_uri=Markup(csv_data_uri(summaries)) if summaries else "",
    )
