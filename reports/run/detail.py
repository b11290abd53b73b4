"""The evidence, benchmark by benchmark."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary
from loopgauge.reports import wording
from loopgauge.reports.plots import arms as arm_plots
from loopgauge.reports.plots import theme
from loopgauge.reports.plots.frame import Drawing


@dataclass(frozen=True)
class BenchmarkView:
    anchor: str
    benchmark: BenchmarkSummary
    arms: dict[str, ArmSummary]
    plots: list[Markup]
    nothing: str  # why there is no plot, "" where there are some
    aa: str


def details(run: RunSummary, key: str, looks: arm_plots.Looks) -> list[BenchmarkView]:
    """`key` starts every id."""
    return [
        _benchmark(benchmark, anchor, f"{key}.{number}", looks, run.reference)
        for number, (benchmark, anchor) in enumerate(
            zip(run.benchmarks, anchors(run, key), strict=True)
        )
    ]


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
    if any(arm.values and arm.cost > 0 for arm in measured):
        drawn["spread"] = arm_plots.spread(benchmark, looks, colour)
    return drawn


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


def anchors(run: RunSummary, key: str) -> list[str]:
    """Stable, unique, and safe as an id whatever the benchmark is called."""
    taken: list[str] = []
    for number, benchmark in enumerate(run.benchmarks):
        anchor = f"{key}-{re.sub(r'[^A-Za-z0-9_.]+', '-', benchmark.id).strip('-')}"
        taken.append(anchor if anchor not in taken else f"{anchor}-{number}")
    return taken
