"""One run as the page template wants it: each part of the page has a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.summary import RunSummary
from loopgauge.reports import facts, tally
from loopgauge.reports.facts import Facts
from loopgauge.reports.links import NO_LINKS, Links
from loopgauge.reports.plots import swatch, theme
from loopgauge.reports.run.detail import (
    BenchmarkView,
    FamilyView,
    anchors,
    details,
    families,
)
from loopgauge.reports.run.first import First, first
from loopgauge.reports.run.promises import Promises, promises
from loopgauge.reports.run.raw import Raw, raw


@dataclass(frozen=True)
class RunView:
    key: str  # prefix of every id on the page that belongs to this run
    run: RunSummary
    symbols: Markup  # what the swatches show, once
    swatches: dict[str, Markup]
    first: First
    standings: list[tally.Standing]
    benchmarks: list[BenchmarkView]
    families: list[FamilyView]
    promises: Promises
    raw: Raw
    environment: Facts
    command: str


def view_of(run: RunSummary, number: int, links: Links = NO_LINKS) -> RunView:
    key = f"r{number}"
    standings = tally.standings(run)
    looks = theme.marks([row.arm for row in standings], run.reference)
    symbols, swatches = swatch.symbols(looks, key)
    benchmarks = details(run, key, looks)
    return RunView(
        key=key,
        run=run,
        symbols=Markup(symbols),
        swatches={arm: Markup(drawn) for arm, drawn in swatches.items()},
        first=first(run, key, looks),
        standings=standings,
        benchmarks=benchmarks,
        families=families(run, key, benchmarks, looks),
        promises=promises(run, key, links),
        raw=raw(run, anchors(run, key)),
        environment=facts.full(run),
        command=facts.command(run.header),
    )
