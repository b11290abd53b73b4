"""The first screen: the answer, whether it can be believed, and one chart of it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.summary import RunSummary
from loopgauge.reports import facts, tally
from loopgauge.reports.facts import Facts
from loopgauge.reports.plots import overview, theme
from loopgauge.reports.plots.arms import Looks


@dataclass(frozen=True)
class First:
    headline: str
    subline: str
    facts: Facts
    absences: list[tally.Absence]
    wide: Markup | None
    narrow: Markup | None


def first(run: RunSummary, key: str, looks: Looks) -> First:
    """`key` starts every id."""
    drawn = tally.has_ratio(tally.standings(run))
    return First(
        headline=tally.headline(run),
        subline=tally.subline(run),
        facts=facts.short(run),
        absences=tally.absences(run),
        wide=_overview(run, looks, overview.WIDE, f"{key}w") if drawn else None,
        narrow=_overview(run, looks, overview.NARROW, f"{key}n") if drawn else None,
    )


def _overview(run: RunSummary, looks: Looks, layout: overview.Layout, key: str) -> Markup:
    return Markup(overview.overview(run, looks, layout, theme.sentinel).page_svg(key))
