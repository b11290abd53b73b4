"""A page per loop: how fast at what, on what; what it breaks; what it holds in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopgauge.conformance.model import FAILING, Verdict
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary
from loopgauge.reports import wording
from loopgauge.reports.conformance.matrix import CaseRow, Column, Matrix
from loopgauge.reports.site.contents import Contents, SiteRun
from loopgauge.reports.site.overview import Row, Section


@dataclass(frozen=True)
class Speed:
    """On one kind of machine: a row for each version."""

    section: Section
    rows: list[Row]


@dataclass(frozen=True)
class Broken:
    """A MUST case that the loop fails, and on which Pythons."""

    row: CaseRow
    example: Verdict
    pythons: list[str]


@dataclass(frozen=True)
class Held:
    """Memory at one benchmark in one run."""

    run: SiteRun
    benchmark: str
    each: str  # of what one takes: "12.3 KiB per connection"
    peak: str


@dataclass(frozen=True)
class LoopPage:
    loop: str
    speeds: list[Speed]
    columns: list[Column]  # what it was asked, by version and Python
    broken: list[Broken]
    memory: list[Held]
    runs: list[tuple[SiteRun, list[str]]]  # with the versions and Pythons measured in them

    @property
    def empty(self) -> bool:
        return not (self.speeds or self.columns)


def loop_pages(
    contents: Contents, sections: Sequence[Section], matrix: Matrix | None
) -> Iterator[LoopPage]:
    for loop in contents.loops():
        speeds = [
            Speed(section, rows)
            for section in sections
            if (rows := [row for row in section.rows if row.loop == loop])
        ]
        columns = [one for one in matrix.columns if one.loop == loop] if matrix else []
        yield LoopPage(
            loop=loop,
            speeds=speeds,
            columns=columns,
            broken=[*_broken(matrix, loop)] if matrix else [],
            memory=[*_memory(contents.runs, loop)],
            runs=[*_runs(contents.runs, loop)],
        )


def _broken(matrix: Matrix, loop: str) -> Iterator[Broken]:
    """By the newest result of each Python; in the order of the catalogue."""
    numbers = [n for n, column in enumerate(matrix.columns) if column.loop == loop]
    for row in matrix.cases:
        failing = [
            verdict
            for number in numbers
            if (verdict := row.verdicts[number]) is not None
            and verdict.level == "MUST"
            and verdict.verdict in FAILING
        ]
        if failing:
            pythons = [".".join(verdict.python.split(".")[:2]) for verdict in failing]
            yield Broken(row, failing[0], [*dict.fromkeys(pythons)])


def _memory(runs: Sequence[SiteRun], loop: str) -> Iterator[Held]:
    """The newest run first."""
    for run in reversed(runs):
        for benchmark in run.summary.benchmarks:
            for arm in wording.memory(benchmark):
                if arm.loop == loop:
                    yield _held(run, benchmark, arm)


def _held(run: SiteRun, benchmark: BenchmarkSummary, arm: ArmSummary) -> Held:
    unit = wording.held([arm])
    each = f"{wording.bytes_of(arm.metrics['rss'].value)} per {unit}" if unit else wording.DASH
    return Held(run, benchmark.id, each, wording.bytes_of(arm.metrics["peak_rss"].value))


def _runs(runs: Sequence[SiteRun], loop: str) -> Iterator[tuple[SiteRun, list[str]]]:
    for run in reversed(runs):
        header = run.summary.header
        found = [
            f"{arm.version} on Python {header.environment.interpreters[arm.python].version}"
            + ("" if arm.available else f": not loaded, {arm.reason}")
            for arm in header.arms
            if arm.loop == loop and arm.role in ("candidate", "reference")
        ]
        if found:
            yield run, found
