"""One run as the page template wants it: drawn, counted and worded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markupsafe import Markup

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary
from loopgauge.reports import facts, tally, wording
from loopgauge.reports.facts import Facts
from loopgauge.reports.plots import arms as arm_plots
from loopgauge.reports.plots import overview, swatch, theme
from loopgauge.reports.plots.frame import Drawing


@dataclass(frozen=True)
class BenchmarkView:
    anchor: str
    benchmark: BenchmarkSummary
    arms: dict[str, ArmSummary]
    plots: list[Markup]
    nothing: str  # why there is no plot, "" where there are some
    aa: str


@dataclass(frozen=True)
class RunView:
    key: str  # prefix of every id on the page that belongs to this run
    run: RunSummary
    headline: str
    subline: str
    facts: Facts
    environment: Facts
    command: str
    standings: list[tally.Standing]
    absences: list[tally.Absence]
    swatches: dict[str, Markup]
    wide: Markup | None
    narrow: Markup | None
    benchmarks: list[BenchmarkView] = field(default_factory=list)


def view_of(run: RunSummary, number: int) -> RunView:
    key = f"r{number}"
    standings = tally.standings(run)
    looks = theme.marks([row.arm for row in standings], run.reference)
    has_ratio = tally.has_ratio(standings)
    anchors = _anchors(run, key)
    return RunView(
        key=key,
        run=run,
        headline=tally.headline(run),
        subline=tally.subline(run),
        facts=facts.short(run),
        environment=facts.full(run),
        command=facts.command(run.header),
        standings=standings,
        absences=tally.absences(run),
        swatches={arm: Markup(swatch.swatch(look)) for arm, look in looks.items()},
        wide=_overview(run, looks, overview.WIDE, f"{key}w") if has_ratio else None,
        narrow=_overview(run, looks, overview.NARROW, f"{key}n") if has_ratio else None,
        benchmarks=[
            _benchmark(benchmark, anchor, f"{key}.{number}", looks, run.reference)
            for number, (benchmark, anchor) in enumerate(zip(run.benchmarks, anchors, strict=True))
        ],
    )


def benchmark_plots(
    benchmark: BenchmarkSummary, looks: arm_plots.Looks, reference: str, colour: arm_plots.Colour
) -> dict[str, Drawing]:
    """The plots this benchmark has data for, by a name that fits a file name."""
    measured = [arm for arm in wording.candidates(benchmark) if arm.status == "ok"]
    drawn = {}
    if measured:
        drawn["cost"] = arm_plots.cost(benchmark, looks, colour)
    if any(arm.ratio is not None and arm.arm != reference for arm in measured):
        drawn["ratio"] = arm_plots.ratio(benchmark, looks, reference, colour)
    if any(arm.values for arm in measured):
        drawn["spread"] = arm_plots.spread(benchmark, looks, colour)
    return drawn


def _overview(run: RunSummary, looks: arm_plots.Looks, layout: overview.Layout, key: str) -> Markup:
    return Markup(overview.overview(run, looks, layout, theme.sentinel).page_svg(key))


def _benchmark(
    benchmark: BenchmarkSummary, anchor: str, key: str, looks: arm_plots.Looks, reference: str
) -> BenchmarkView:
    """`key` starts the ids inside the plots; it is short, because they are many."""
    drawings = benchmark_plots(benchmark, looks, reference, theme.sentinel)
    plots = [Markup(drawn.page_svg(f"{key}{name[0]}")) for name, drawn in drawings.items()]
    return BenchmarkView(
        anchor=anchor,
        benchmark=benchmark,
        arms={arm.arm: arm for arm in benchmark.arms},
        plots=plots,
        nothing="" if plots else "No loop has a valid result here, so there is nothing to draw.",
        aa=wording.interval(benchmark.aa),
    )


def _anchors(run: RunSummary, key: str) -> list[str]:
    """Stable, unique, and safe as an id whatever the benchmark is called."""
    taken: list[str] = []
    for number, benchmark in enumerate(run.benchmarks):
        anchor = f"{key}-{re.sub(r'[^A-Za-z0-9_.]+', '-', benchmark.id).strip('-')}"
        taken.append(anchor if anchor not in taken else f"{anchor}-{number}")
    return taken
