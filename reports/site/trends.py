"""Trends: what one loop's ratio to stock asyncio was, run after run, on one kind of machine.

A line holds runs that asked the same: the same benchmarks of a family, the same yardstick. A
benchmark by itself is one, too. Nothing is estimated here, and no step is called: `bench history
steps` looks for those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from loopgauge.harness.history.model import Entry, FamilyPoint, MachineKind
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.site.contents import Contents, SiteRun, identity
from loopgauge.reports.site.overview import title_of

MOST = 40  # runs of a trend that are shown: the newest


@dataclass(frozen=True)
class TrendPoint:
    """`value` is a ratio; None where the loop failed in that run, and `status` says how."""

    value: float | None
    low: float | None
    high: float | None
    identity: str  # version and build
    status: str = "ok"
    unclear: bool = False  # no clear difference to the yardstick


class Moment(Protocol):
    """A run, or what stands for one."""

    @property
    def name(self) -> str: ...
    @property
    def created(self) -> str: ...
    @property
    def day(self) -> str: ...


@dataclass
class Trend:
    """Lines over the same runs; a loop that was not in a run has no point there."""

    machine: MachineKind | None  # None: of several kinds
    family: str  # "" of a benchmark by itself
    name: str  # of the family or the benchmark
    against: str
    benchmarks: tuple[str, ...]  # what every run of it asked, by name
    runs: list[Moment] = field(default_factory=list)
    lines: dict[str, dict[str, TrendPoint]] = field(default_factory=dict)  # loop -> run -> point
    each: str = "run"  # what a point stands for

    def add(self, run: Moment, loop: str, point: TrendPoint) -> None:
        if not self.runs or self.runs[-1] is not run:
            self.runs.append(run)
        self.lines.setdefault(loop, {})[run.name] = point

    def newest(self) -> Trend:
        """The runs that are shown."""
        kept = self.runs[-MOST:]
        names = {run.name for run in kept}
        lines = {
            loop: shown
            for loop, points in self.lines.items()
            if (shown := {run: point for run, point in points.items() if run in names})
        }
        return replace(self, runs=kept, lines=lines)


@dataclass
class FamilyTrend:
    """All of one family, and each of its benchmarks on a page of their own."""

    trend: Trend
    benchmarks: list[Trend]

    @property
    def page(self) -> str:
        """Of one family there are several trends where runs asked for different benchmarks of it,
        or had another yardstick."""
        trend = self.trend
        asked = "\0".join((trend.against, *trend.benchmarks))
        key = hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest()[:8]
        machine = trend.machine.key if trend.machine else ""
        return f"trends/{file_name(f'{machine}-{trend.name}-{key}')}.html"


def trends(contents: Contents) -> tuple[list[FamilyTrend], int]:
    """Those with two runs or more, and how many have only one."""
    families = _families(contents)
    benchmarks = _benchmarks(contents)
    found = [trend.newest() for trend in families if len(trend.runs) > 1]
    made = []
    for trend in found:
        own = [
            one.newest()
            for one in benchmarks
            if (one.machine, one.against) == (trend.machine, trend.against)
            and one.name in trend.benchmarks
            and len(one.runs) > 1
        ]
        made.append(FamilyTrend(trend, own))
    return made, len(families) - len(found)


def _families(contents: Contents) -> list[Trend]:
    found: dict[tuple[object, ...], Trend] = {}
    for run, point in contents.points():
        if point.figure.verdict == "reference":
            continue
        family = point.family
        asked = tuple(sorted(family.compared))
        key = (point.machine, point.against, family.family, family.kind, asked)
        if key not in found:
            name = title_of((family.family, family.kind))
            found[key] = Trend(point.machine, family.family, name, point.against, asked)
        found[key].add(run, point.loop, _of_family(point))
    return [*found.values()]


def _of_family(point: FamilyPoint) -> TrendPoint:
    figure = point.figure
    build = identity(point.version, point.build)
    if figure.ratio is None or figure.missing:
        missing = f"{figure.measured} of {figure.asked}"
        return TrendPoint(None, None, None, build, missing)
    ratio = figure.ratio
    unclear = figure.verdict in ("equivalent", "inconclusive")
    return TrendPoint(ratio.estimate, ratio.low, ratio.high, build, unclear=unclear)


def _benchmarks(contents: Contents) -> list[Trend]:
    found: dict[tuple[object, ...], Trend] = {}
    for run, entry in _entries(contents):
        series = entry.series
        key = (series.machine, series.against, series.benchmark)
        if key not in found:
            name = series.benchmark
            found[key] = Trend(series.machine, "", name, series.against, (name,))
        found[key].add(run, series.loop, _of_benchmark(entry))
    return [*found.values()]


def _entries(contents: Contents) -> Iterator[tuple[SiteRun, Entry]]:
    for run in contents.runs:
        for entry in run.entries:
            yield run, entry


def _of_benchmark(entry: Entry) -> TrendPoint:
    build = identity(entry.version, entry.build)
    return TrendPoint(entry.value, entry.low, entry.high, build, entry.status)
