"""The page: one self-contained HTML file that opens anywhere, without network or script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loopgauge.harness.summary import RunSummary
from loopgauge.reports import counts, wording
from loopgauge.reports.conformance.symbols import LOOKS
from loopgauge.reports.links import NO_LINKS, Links
from loopgauge.reports.pages import environment, write
from loopgauge.reports.plots import tiers
from loopgauge.reports.run.raw import plain
from loopgauge.reports.run.view import view_of


def render(
    summaries: Sequence[RunSummary],
    out: Path,
    links: Links = NO_LINKS,
    missing: Sequence[str] = (),
) -> Path:
    """Writes the page for these runs to `out` (folders are made) and returns it.

    Any summaries make a page, also none, or runs without one valid figure: it then says what it
    could not show and why. `missing`: what else was to be shown, and why it is not. Raises OSError
    when `out` cannot be written.
    """
    return write(page(summaries, links, missing), out)


def page(
    summaries: Sequence[RunSummary], links: Links = NO_LINKS, missing: Sequence[str] = ()
) -> str:
    """The page as text."""
    made = environment(
        "run",
        "detail",
        "promises",
        wording=wording,
        counts=counts,
        layer_words=tiers.in_words,
        tier_name=tiers.name_of,
        tiers_told=tiers.told,
        LOOKS=LOOKS,
        plain=plain,
    )
    return made.get_template("run/page.html.j2").render(
        links=links,
        missing=missing,
        runs=[view_of(run, number, links) for number, run in enumerate(summaries, 1)],
    )
