"""Which loop for what: a table per kind of machine, of loops and families of scenarios.

Kinds of machine (CPU, kernel, Python and its build) are never mixed. A family's column is about one
run, the one that says most about it; only loops measured in that run are compared with each other.
What other runs know of another loop or version stands there too, marked, and is ranked with nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from loopgauge.harness.history.model import FamilyPoint, MachineKind
from loopgauge.harness.summary import ArmPromises, FamilySummary
from loopgauge.reports import wording
from loopgauge.reports.conformance.matrix import file_name, numbers
from loopgauge.reports.plots.families import absent
from loopgauge.reports.run import answers
from loopgauge.reports.run.answers import Answer
from loopgauge.reports.site.contents import Contents, SiteRun, identity, loop_page

REFERENCE = "asyncio"
Known = tuple[SiteRun, FamilyPoint]
Build = tuple[str, str, str]  # loop, version, and the hash where the version does not tell
Column = tuple[str, str]  # family, and kind: time per operation or waiting


@dataclass(frozen=True)
class Cell:
    run: SiteRun
    point: FamilyPoint
    elsewhere: bool  # not from the run that the column is about

    @property
    def leads(self) -> bool:
        return not self.elsewhere and self.point.figure.arm in self.point.family.fastest

    @property
    def alone(self) -> bool:
        return self.leads and len(self.point.family.fastest) == 1

    @property
    def words(self) -> str:
        """The answer first: "4.8 times as fast", "not clear"."""
        figure = self.point.figure
        if figure.ratio is None:
            return absent(self.run.summary, self.point.family, figure.arm)
        if figure.verdict == "reference":
            return "1"
        if figure.verdict in ("faster", "slower"):
            return wording.times(figure.ratio.estimate, self.point.family.kind)
        return {"equivalent": "the same", "inconclusive": "not clear"}.get(figure.verdict, "")

    @property
    def interval(self) -> str:
        figure = self.point.figure
        known = figure.ratio is not None and figure.verdict != "reference"
        return wording.interval(figure.ratio) if known else ""

    @property
    def part(self) -> str:
        """ "7 of 9" where a valid figure is missing."""
        figure = self.point.figure
        return f"{figure.measured} of {figure.asked}" if figure.missing else ""

    @property
    def about(self) -> str:
        """For who wants to know where it comes from."""
        point, run = self.point, self.run
        words = [
            f"cost relative to {point.against}",
            f"{len(point.family.compared)} benchmarks",
            f"{run.summary.header.setting} run of {run.day}",
        ]
        if point.figure.missing:
            words.append(f"without {', '.join(point.figure.missing)}: not ranked")
        if self.elsewhere:
            words.append("another run than the rest of the column: not compared with it")
        if run.summary.advisory:
            words.append("advisory: the self-check of that run failed")
        return "; ".join(words)


@dataclass
class Row:
    """One build of a loop. `version` names the build, too, where several have the same version."""

    loop: str
    version: str
    page: str
    promises: ArmPromises | None  # None: nobody asked
    cells: dict[Column, Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """A column in words, as the run's own report has them."""

    column: Column
    run: SiteRun
    family: FamilySummary
    answer: Answer


@dataclass
class Section:
    """One kind of machine and one yardstick (`against`). `columns`: the run that each is about."""

    machine: MachineKind
    against: str
    columns: dict[Column, SiteRun]
    rows: list[Row]
    told: list[Told]
    headline: str  # "" where nobody has a figure
    runs: list[SiteRun]

    @property
    def anchor(self) -> str:
        key = f"machine-{self.machine.key}"
        return key if self.against == REFERENCE else f"{key}-{file_name(self.against)}"

    @property
    def title(self) -> str:
        other = "" if self.against == REFERENCE else f", against {self.against}"
        return f"{self.machine.title}{other}"

    @property
    def yardstick(self) -> str:
        return "stock asyncio" if self.against == REFERENCE else self.against

    @property
    def advisory(self) -> list[SiteRun]:
        found = [run for run in self.main_runs if run.summary.advisory]
        return sorted(found, key=lambda run: run.created)

    @property
    def main_runs(self) -> list[SiteRun]:
        """Those that columns are about."""
        return [*{run.name: run for run in self.columns.values()}.values()]

    @property
    def charted(self) -> SiteRun | None:
        """The one whose times per operation are drawn: that of most such columns."""
        runs = [run for (_, kind), run in self.columns.items() if kind == "cost"]
        return max(runs, key=runs.count, default=None)


def sections(contents: Contents) -> list[Section]:
    """The machine that measured last comes first."""
    found: dict[tuple[MachineKind, str], list[Known]] = {}
    for run, point in contents.points():
        found.setdefault((point.machine, point.against), []).append((run, point))
    made = [_section(*key, known) for key, known in found.items()]
    return sorted(made, key=lambda section: section.runs[-1].created, reverse=True)


def title_of(column: Column) -> str:
    family, kind = column
    words = wording.family(family)
    return words if kind == "cost" else f"{words}: waiting"


def _section(machine: MachineKind, against: str, known: Sequence[Known]) -> Section:
    told = [*_told(known)]
    columns = {one.column: one.run for one in told}
    of_build: dict[Build, list[Known]] = {}
    for one in known:
        of_build.setdefault(_build(one[1]), []).append(one)
    rows: list[Row] = []
    for build, of_row in of_build.items():
        row = Row(build[0], _version(build, of_build), loop_page(build[0]), None)
        rows.append(row)
        for run, point in of_row:
            row.promises = _promises(run, point) or row.promises
        for column, main in columns.items():
            candidates = [one for one in of_row if _column(one[1]) == column]
            here = [one for one in candidates if one[0] is main]
            if candidates:
                run, point = here[0] if here else _best(candidates)
                row.cells[column] = Cell(run, point, elsewhere=not here)
    shown = [row for row in rows if _was_loaded(row)]
    shown.sort(key=_order)
    runs = [*{run.name: run for run, _ in known}.values()]
    costs = [one.family for one in told if one.column[1] == "cost" and one.family.fastest]
    headline = answers.headline(costs, against) if costs else ""
    return Section(machine, against, columns, shown, told, headline, runs)


def _order(row: Row) -> tuple[object, ...]:
    return row.loop != REFERENCE, row.loop, _elsewhere(row), numbers(row.version), row.version


def _build(point: FamilyPoint) -> Build:
    return point.loop, point.version, point.build


def _version(build: Build, builds: Iterable[Build]) -> str:
    loop, version, _ = build
    same = sum((other[0], other[1]) == (loop, version) for other in builds)
    return identity(version, build[2]) if same > 1 else version


def _told(known: Sequence[Known]) -> Iterator[Told]:
    """Time per operation first; within that as the runs have it."""
    found = dict.fromkeys(_column(point) for _, point in known)
    for column in sorted(found, key=lambda column: column[1] != "cost"):
        run, point = _best(one for one in known if _column(one[1]) == column)
        (answer,) = answers.answers(run.parts[point.machine], [point.family])
        yield Told(column, run, point.family, answer)


def _column(point: FamilyPoint) -> Column:
    return point.family.family, point.family.kind


def _best(known: Iterable[Known]) -> Known:
    """Of more benchmarks, then a full run, then the newest: somebody's look at one scenario of a
    family does not take the place of all of it."""

    def worth(one: Known) -> tuple[int, bool, str]:
        run, point = one
        return len(point.family.compared), run.summary.header.setting == "full", run.created

    return max(known, key=worth)


def _promises(run: SiteRun, point: FamilyPoint) -> ArmPromises | None:
    arm = point.figure.arm
    found = next((one for one in run.summary.promises if one.arm == arm), None)
    return found if found is not None and found.known else None


def _was_loaded(row: Row) -> bool:
    return any(
        arm.available
        for cell in row.cells.values()
        for arm in cell.run.summary.header.arms
        if arm.label == cell.point.figure.arm
    )


def _elsewhere(row: Row) -> bool:
    return all(cell.elsewhere for cell in row.cells.values())
