"""The evidence: family by family, scenario by scenario, benchmark by benchmark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from markupsafe import Markup

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, FamilySummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import arms as arm_plots
from loopgauge.reports.plots import distribution, memory, percentiles, scaling, theme, tiers
from loopgauge.reports.plots.frame import Drawing
from loopgauge.reports.run.again import again

# Beyond this a page takes long to make and to open. Rows: one loop in one benchmark.
MOST_ROWS = 1_500
MOST_BENCHMARKS = 150


@dataclass(frozen=True)
class BenchmarkView:
    anchor: str
    benchmark: BenchmarkSummary
    arms: dict[str, ArmSummary]
    plots: list[Markup]
    nothing: str  # why there is no plot, "" where there are some
    aa: str
    again: str  # the command that measures it again, "" where there is none


@dataclass(frozen=True)
class ScenarioView:
    """A scenario in its variants; `curves` show it over the parameters that are numbers."""

    anchor: str
    scenario: str
    curves: list[Markup]
    benchmarks: list[BenchmarkView]


@dataclass(frozen=True)
class FamilyView:
    anchor: str
    family: str
    summaries: list[FamilySummary]  # of costs, of waits
    scenarios: list[ScenarioView]

    @property
    def size(self) -> int:
        return sum(len(scenario.benchmarks) for scenario in self.scenarios)


def details(run: RunSummary, key: str, looks: arm_plots.Looks) -> list[BenchmarkView]:
    """`key` starts every id."""
    never = set(never_loaded(run))
    shown = [_shown(benchmark, never) for benchmark in run.benchmarks]
    drawn = with_plots(shown)
    return [
        _benchmark(benchmark, anchor, f"{key}.{number}", looks, run, benchmark.id in drawn)
        for number, (benchmark, anchor) in enumerate(zip(shown, anchors(run, key), strict=True))
    ]


def _shown(benchmark: BenchmarkSummary, never: set[str]) -> BenchmarkSummary:
    """Without the loops that are said to be missing once for the whole run."""
    if not never:
        return benchmark
    arms = [arm for arm in benchmark.arms if arm.arm not in never]
    return msgspec.structs.replace(benchmark, arms=arms)


def never_loaded(run: RunSummary) -> list[str]:
    """Loops that could be loaded for no benchmark, while others could: said once, and then left
    out of tables and plots."""
    found: dict[str, set[str]] = {}
    for benchmark in run.benchmarks:
        for arm in wording.candidates(benchmark):
            found.setdefault(arm.arm, set()).add(arm.status)
    never = [arm for arm, statuses in found.items() if statuses == {"unavailable"}]
    return never if len(never) < len(found) else []


def absent(views: Sequence[BenchmarkView]) -> list[tuple[str, str]]:
    """The statuses that stand in the tables instead of figures, with their meanings."""
    met = {
        arm.status
        for view in views
        for arm in (*wording.candidates(view.benchmark), *view.benchmark.natives)
    }
    return [(word, meaning) for word, meaning in wording.STATUS_MEANING.items() if word in met]


def families(
    run: RunSummary, key: str, views: Sequence[BenchmarkView], looks: arm_plots.Looks
) -> list[FamilyView]:
    """`views` in their families and scenarios, both in the order of the run."""
    by_scenario: dict[str, list[BenchmarkView]] = {}
    for view in views:
        by_scenario.setdefault(view.benchmark.scenario, []).append(view)
    made: dict[str, list[ScenarioView]] = {}
    places = ids(f"{key}-scenario", [*by_scenario])
    for number, found in enumerate(by_scenario.values()):
        drawn = _scenario(run, found, places[number], f"{key}.s{number}", looks)
        made.setdefault(found[0].benchmark.family, []).append(drawn)
    return [
        FamilyView(
            anchor=anchor,
            family=family,
            summaries=[each for each in run.families if each.family == family],
            scenarios=made[family],
        )
        for family, anchor in zip(made, ids(f"{key}-family", [*made]), strict=True)
    ]


def with_plots(benchmarks: Sequence[BenchmarkSummary]) -> set[str]:
    """Ids of those that get plots: one of each scenario first, then the others, while there is
    room."""
    first: dict[str, BenchmarkSummary] = {}
    for benchmark in benchmarks:
        first.setdefault(benchmark.scenario, benchmark)
    taken: set[str] = set()
    rows = 0
    for benchmark in (*first.values(), *benchmarks):
        size = len(wording.candidates(benchmark))
        room = rows + size <= MOST_ROWS and len(taken) < MOST_BENCHMARKS
        if benchmark.id not in taken and room:
            taken.add(benchmark.id)
            rows += size
    return taken


def benchmark_plots(
    benchmark: BenchmarkSummary, looks: arm_plots.Looks, reference: str, colour: arm_plots.Colour
) -> dict[str, Drawing]:
    """The plots this benchmark has data for, by a name that fits a file name."""
    measured = [arm for arm in wording.candidates(benchmark) if arm.status == "ok"]
    drawn: dict[str, Drawing | None] = {}
    if any(arm.ratio is not None and arm.arm != reference for arm in measured):
        drawn["ratio"] = arm_plots.ratio(benchmark, looks, reference, colour)
    elif any(arm.values for arm in measured):
        drawn["cost"] = arm_plots.cost(benchmark, looks, colour)
    if any(arm.values for arm in measured):
        drawn["distribution"] = distribution.distribution(benchmark, looks, colour)
        drawn["spread"] = arm_plots.spread(benchmark, looks, colour)
    if percentiles.has_curves(benchmark):
        drawn["percentiles"] = percentiles.percentiles(benchmark, looks, colour)
    if benchmark.tiers:
        drawn["tiers"] = tiers.tiers(benchmark, colour)
    drawn["memory"] = memory.held(benchmark, looks, colour)
    if not any(drawn.values()):  # beside timings the table is enough
        drawn["memory"] = memory.peak(benchmark, looks, colour)
    return {name: drawing for name, drawing in drawn.items() if drawing is not None}


def scenario_plots(
    benchmarks: Sequence[BenchmarkSummary],
    looks: arm_plots.Looks,
    reference: str,
    colour: arm_plots.Colour,
) -> dict[str, Drawing]:
    """Of one scenario's benchmarks: how its figures grow, by a name that fits a file name."""
    drawn: dict[str, Drawing | None] = {}
    for sweep in scaling.sweeps(benchmarks):
        name = f"by-{sweep.param}" + (f"-{sweep.fixed}" if sweep.fixed else "")
        drawn[name] = scaling.cost_curves(sweep, looks, colour)
        drawn[f"{name}-ratio"] = scaling.ratio_curves(sweep, looks, reference, colour)
    return {name: drawing for name, drawing in drawn.items() if drawing is not None}


def _scenario(
    run: RunSummary, views: list[BenchmarkView], anchor: str, key: str, looks: arm_plots.Looks
) -> ScenarioView:
    """`key` starts the ids inside the plots."""
    found = [view.benchmark for view in views]
    drawings = scenario_plots(found, looks, run.reference, theme.sentinel)
    return ScenarioView(
        anchor=anchor,
        scenario=found[0].scenario,
        curves=[
            Markup(drawn.page_svg(f"{key}.{number}"))
            for number, drawn in enumerate(drawings.values())
        ],
        benchmarks=views,
    )


def _benchmark(
    benchmark: BenchmarkSummary,
    anchor: str,
    key: str,
    looks: arm_plots.Looks,
    run: RunSummary,
    draw: bool,
) -> BenchmarkView:
    """`key` starts the ids inside the plots; it is short, because they are many."""
    drawings = benchmark_plots(benchmark, looks, run.reference, theme.sentinel) if draw else {}
    plots = [Markup(drawn.page_svg(f"{key}{name[0]}")) for name, drawn in drawings.items()]
    nothing = "No loop has a valid result here, so there is nothing to draw."
    return BenchmarkView(
        anchor=anchor,
        benchmark=benchmark,
        arms={arm.arm: arm for arm in benchmark.arms},
        plots=plots,
        nothing=nothing if draw and not plots else "",
        aa=wording.interval(benchmark.aa),
        again=again(run.header, benchmark),
    )


def anchors(run: RunSummary, key: str) -> list[str]:
    """One per benchmark."""
    return ids(key, [benchmark.id for benchmark in run.benchmarks])


def ids(prefix: str, names: Sequence[str]) -> list[str]:
    """Stable, unique among `names`, and safe as ids whatever the names are."""
    taken: dict[str, None] = {}
    for name in names:
        plain = f"{prefix}-{re.sub(r'[^A-Za-z0-9_.]+', '-', name).strip('-')}"
        made, number = plain, 1
        while made in taken:
            number += 1
            made = f"{plain}-{number}"
        taken[made] = None
    return [*taken]
