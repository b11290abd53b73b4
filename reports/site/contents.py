"""What a site is made of, read and judged already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from loopgauge.conformance.store import Results
from loopgauge.harness.gate.store import GateFile
from loopgauge.harness.history.model import Entry, FamilyPoint, MachineKind
from loopgauge.harness.summary import RunSummary
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.run.detail import ids


@dataclass
class SiteRun:
    """`name` is that of its pages; `entries` are its benchmarks' ratios to the reference. `points`
    are of `parts`: a run on several Pythons has a part for each kind of machine."""

    name: str
    summary: RunSummary
    points: list[FamilyPoint]
    entries: list[Entry]
    parts: dict[MachineKind, RunSummary] = field(default_factory=dict)

    @property
    def page(self) -> str:
        return f"runs/{self.name}.html"

    @property
    def figures(self) -> str:
        """As CSV."""
        return f"data/{self.name}.csv"

    @property
    def created(self) -> str:
        return self.summary.header.created

    @property
    def day(self) -> str:
        return self.created[:10]

    def family_anchor(self, family: str) -> str:
        """Where a family's section begins on the run's page."""
        return f"{self.page}#{self._families[family]}"

    @cached_property
    def _families(self) -> dict[str, str]:
        names = [*dict.fromkeys(one.family for one in self.summary.benchmarks)]
        return dict(zip(names, ids("r1-family", names), strict=True))


@dataclass
class SiteGate:
    name: str
    file: GateFile
    finished: bool = True

    @property
    def page(self) -> str:
        return f"gates/{self.name}.html"

    @property
    def words(self) -> str:
        """What became of it: how many decisions of each kind."""
        result = self.file.result
        if result is None or not self.finished:
            return "did not come to its end"
        counts = Counter(decision.verdict for decision in result.decisions)
        return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing"


@dataclass
class Contents:
    """`problems`: what was given and could not be shown, and why; a line each."""

    title: str
    runs: list[SiteRun]  # oldest first
    results: list[Results] = field(default_factory=list)  # oldest first
    gates: list[SiteGate] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def loops(self) -> list[str]:
        """Measured or asked; stock asyncio first, the others by name."""
        measured = {
            arm.loop
            for run in self.runs
            for arm in run.summary.header.arms
            if arm.role in ("candidate", "reference")
        }
        asked = {subject.loop for one in self.results for subject in one.header.subjects}
        return sorted(measured | asked, key=lambda loop: (loop != "asyncio", loop))

    def points(self) -> Iterator[tuple[SiteRun, FamilyPoint]]:
        for run in self.runs:
            for point in run.points:
                yield run, point


def loop_page(loop: str) -> str:
    return f"loops/{file_name(loop)}.html"


def identity(version: str, build: str) -> str:
    return f"{version}+{build[:6]}" if build else version
