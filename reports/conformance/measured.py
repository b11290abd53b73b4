"""What was measured, for the pages about promises: which benchmarks depend on a rule, with their
results, and how fast a loop is that keeps or breaks so much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, FamilyArm, RunSummary
from loopgauge.reports import facts, wording
from loopgauge.reports.run.detail import anchors

MOST = 5  # runs with their figures on one page; of a site with hundreds the others are only named


@dataclass(frozen=True)
class Figure:
    """A cell of a table. `state`: the class of a result that is none, "" for a figure."""

    words: str
    title: str = ""
    state: str = ""
    leads: bool = False  # the fastest, or not separated from it
    vague: bool = False  # no clear difference to the reference


@dataclass(frozen=True)
class Dependant:
    """A benchmark; `address` is that of its section, "" where the run has no page."""

    id: str
    address: str
    figures: list[Figure]


@dataclass(frozen=True)
class Dependants:
    """Of one rule in one run."""

    title: str
    self_check: str  # what is wrong with it, "" where it passed
    arms: list[str]
    benchmarks: list[Dependant]


@dataclass(frozen=True)
class LoopSpeed:
    """`broken`: MUST cases that fail, "not asked" where nobody knows."""

    arm: str
    broken: str
    figures: list[Figure]


@dataclass(frozen=True)
class Speed:
    """A run by families, beside what its loops break."""

    title: str
    address: str
    reference: str
    self_check: str  # what is wrong with it, "" where it passed
    families: list[str]
    loops: list[LoopSpeed]


@dataclass(frozen=True)
class Measured:
    """`runs`: the newest first. `pages`: where the report of a run is, by its path, seen from the
    folder of the matrix. `declared`: the scenarios that depend on a rule, with what they do, for
    who has measured nothing yet."""

    runs: Sequence[RunSummary] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def of_rule(self, rule: str) -> list[Dependants]:
        """Of the newest runs in which a benchmark depends on it."""
        found = (made for run in self.runs if (made := self._dependants(rule, run)).benchmarks)
        return [made for _, made in zip(range(MOST), found, strict=False)]

    def count(self, rule: str) -> int:
        """How many scenarios or benchmarks are known to depend on it."""
        ids = {one.id for run in self.runs for one in run.benchmarks if rule in one.rules}
        return len(ids) if self.runs else len(self.declared.get(rule, ()))

    def speeds(self) -> Iterator[Speed]:
        """Of the newest runs that have families."""
        for run in [run for run in self.runs if run.families][:MOST]:
            yield _speed(run, self.pages.get(run.path, ""))

    def _dependants(self, rule: str, run: RunSummary) -> Dependants:
        page = self.pages.get(run.path, "")
        arms = [arm.arm for arm in run.promises]
        benchmarks = [
            Dependant(benchmark.id, f"{page}#{anchor}" if page else "", _row(benchmark, arms))
            for benchmark, anchor in zip(run.benchmarks, anchors(run, "r1"), strict=True)
            if rule in benchmark.rules
        ]
        return Dependants(title_of(run), _self_check(run), arms, benchmarks)


def measured(
    runs: Sequence[RunSummary],
    pages: Mapping[str, str],
    declared: Mapping[str, Sequence[tuple[str, str]]],
) -> Measured:
    return Measured(sorted(runs, key=lambda run: run.header.created, reverse=True), pages, declared)


def title_of(run: RunSummary) -> str:
    header = run.header
    day = header.created[:10]
    return f"{facts.pythons(header.environment)}; {facts.machine(header.environment)}; {day}"


def _self_check(run: RunSummary) -> str:
    return run.self_check if run.advisory else ""


def _row(benchmark: BenchmarkSummary, arms: Sequence[str]) -> list[Figure]:
    found = {arm.arm: arm for arm in benchmark.arms}
    return [_figure(found.get(name), benchmark) for name in arms]


def _figure(arm: ArmSummary | None, benchmark: BenchmarkSummary) -> Figure:
    if arm is None:
        return Figure(wording.DASH)
    if arm.status != "ok":
        return Figure(wording.status(arm), arm.reason, state=arm.status)
    leads = arm.arm in benchmark.fastest
    if arm.verdict == "reference":
        return Figure("1", "the reference", leads=leads)
    if arm.ratio is None:
        return Figure(wording.DASH, leads=leads)
    return Figure(
        wording.ratio(arm.ratio.estimate),
        f"{wording.interval(arm.ratio)} {arm.verdict}",
        leads=leads,
        vague=not wording.is_separated(arm),
    )


def _speed(run: RunSummary, page: str) -> Speed:
    broken = {arm.arm: str(arm.must_failing) if arm.known else "not asked" for arm in run.promises}
    loops = []
    for arm, told in broken.items():
        figures = [
            _family_figure(next((one for one in family.arms if one.arm == arm), None),
                           arm in family.fastest, run.reference)
            for family in run.families
        ]  # fmt: skip
        loops.append(LoopSpeed(arm, told, figures))
    return Speed(
        title=title_of(run),
        address=page,
        reference=run.reference,
        self_check=_self_check(run),
        families=[family.family for family in run.families],
        loops=loops,
    )


def _family_figure(arm: FamilyArm | None, leads: bool, reference: str) -> Figure:
    if arm is None or (arm.ratio is None and arm.arm != reference):
        return Figure(wording.DASH, "no valid figure")
    if arm.arm == reference:
        return Figure("1", "the reference", leads=leads)
    assert arm.ratio is not None
    some = "" if arm.complete else f" ({arm.measured} of {arm.asked})"
    lacking = f"; without {', '.join(arm.missing)}" if arm.missing else ""
    return Figure(
        f"{wording.ratio(arm.ratio.estimate)}{some}",
        f"{wording.interval(arm.ratio)} {arm.verdict}{lacking}",
        leads=leads,
        vague=arm.verdict not in ("faster", "slower"),
    )
