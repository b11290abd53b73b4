"""One run as the page template wants it: each part of the page has a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from loopgauge.harness.summary import RunSummary
from loopgauge.reports import facts, tally
from loopgauge.reports.facts import Facts
from loopgauge.reports.links import NO_LINKS, Links
from loopgauge.reports.plots import swatch, theme
from loopgauge.reports.run.detail import (
    BenchmarkView,
    FamilyView,
    absent,
    anchors,
    details,
    families,
    never_loaded,
)
from loopgauge.reports.run.first import First, first
from loopgauge.reports.run.promises import Promises, promises
from loopgauge.reports.run.raw import Raw, raw


@dataclass(frozen=True)
class RunView:
    key: str  # prefix of every id on the page that belongs to this run
    run: RunSummary
    file: str  # its name: the folder is nobody's business who gets the page
    symbols: Markup  # what the swatches show, once
    swatches: dict[str, Markup]
    first: First
    standings: list[tally.Standing]
    columns: list[str]  # the loops of a table of all: those that could be loaded
    unloaded: list[str]
    absent: list[tuple[str, str]]  # what became of loops without a figure, and what it means
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
    unloaded = never_loaded(run)
    return RunView(
        key=key,
        run=run,
        file=Path(run.path).name,
        symbols=Markup(symbols),
        swatches={arm: Markup(drawn) for arm, drawn in swatches.items()},
        first=first(run, key, looks),
        standings=standings,
        columns=[row.arm for row in standings if row.arm not in unloaded],
        unloaded=unloaded,
        absent=absent(benchmarks),
        benchmarks=benchmarks,
        families=families(run, key, benchmarks, looks),
        promises=promises(run, key, links),
        raw=raw(run, anchors(run, key)),
        environment=facts.full(run),
        command=facts.command(run.header),
    )
