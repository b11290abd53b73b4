"""Every plot of the page as PNG and SVG files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from loopgauge.harness.summary import BenchmarkSummary, RunSummary
from loopgauge.reports import tally
from loopgauge.reports.plots import families as family_plots
from loopgauge.reports.plots import overview, theme
from loopgauge.reports.plots.frame import Drawing
from loopgauge.reports.run.answers import compared
from loopgauge.reports.run.detail import benchmark_plots, scenario_plots

FORMATS = ("svg", "png")


def write_images(
    summaries: Sequence[RunSummary], folder: Path, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Writes <run>/<plot>.<format> into `folder`, which is made; returns what was written.

    An SVG follows the reader's light or dark setting; a PNG is light, at two pixels per unit.
    Plots without data are left out.
    """
    unknown = [each for each in formats if each not in FORMATS]
    if unknown:
        raise ValueError(f"unknown image format {unknown[0]!r}; there is {' and '.join(FORMATS)}")
    written = []
    for run in summaries:
        target = folder / _file_name(run.header.run) if len(summaries) > 1 else folder
        target.mkdir(parents=True, exist_ok=True)
        if "svg" in formats:
            for name, drawing in _drawings(run, theme.sentinel):
                written.append(_write(target / f"{name}.svg", drawing.file_svg().encode()))
        if "png" in formats:
            for name, drawing in _drawings(run, theme.light):
                written.append(_write(target / f"{name}.png", drawing.png()))
    return written


def _drawings(run: RunSummary, colour: Callable[[str], str]) -> Iterator[tuple[str, Drawing]]:
    standings = tally.standings(run)
    looks = theme.marks([row.arm for row in standings], run.reference)
    for families in (run.families, run.waits):
        if compared(families):
            name = "families" if families[0].kind == "cost" else "waits"
            yield name, family_plots.chart(run, families, looks, family_plots.WIDE, colour)
    if tally.has_ratio(standings):
        yield "overview", overview.overview(run, looks, overview.WIDE, colour)
    scenarios: dict[str, list[BenchmarkSummary]] = {}
    for benchmark in run.benchmarks:
        scenarios.setdefault(benchmark.scenario, []).append(benchmark)
    for scenario, found in scenarios.items():
        curves = scenario_plots(found, looks, run.reference, colour)
        for kind, drawing in curves.items():
            yield f"{_file_name(scenario)}-{_file_name(kind)}", drawing
    for benchmark in run.benchmarks:
        plots = benchmark_plots(benchmark, looks, run.reference, colour)
        for kind, drawing in plots.items():
            yield f"{_file_name(benchmark.id)}-{kind}", drawing


def _file_name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.=,-]+", "-", words).strip("-.") or "unnamed"


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
