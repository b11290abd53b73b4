"""Who leads how often, and who is absent: counted, not estimated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loopgauge.harness.summary import ArmSummary, RunSummary
from loopgauge.reports import wording


@dataclass
class Standing:
    """One arm over all benchmarks of a run."""

    arm: str
    loop: str
    version: str
    python: str
    is_reference: bool
    verdicts: Counter[str] = field(default_factory=Counter)  # against the reference
    statuses: Counter[str] = field(default_factory=Counter)
    alone: int = 0  # benchmarks in which it is the fastest
    shared: int = 0  # benchmarks in which it is not separated from the fastest
    best: float | None = None  # lowest and highest estimate of the ratio to the reference
    worst: float | None = None

    @property
    def measured(self) -> int:
        return self.statuses["ok"]

    @property
    def leads(self) -> int:
        return self.alone + self.shared


@dataclass(frozen=True)
class Absence:
    """Something asked for that has no figure, and why."""

    arm: str
    status: str
    reason: str
    benchmarks: list[str]
    everywhere: bool
    broken: list[str]  # conformance cases because of which it is void


@dataclass(frozen=True)
class Gone:
    """All that one loop has no figure in."""

    arm: str
    benchmarks: int
    absences: list[Absence]


def standings(run: RunSummary) -> list[Standing]:
    """In the order of the run file."""
    rows: dict[str, Standing] = {}
    for benchmark in run.benchmarks:
        for arm in wording.candidates(benchmark):
            row = rows.setdefault(arm.arm, _empty(arm, run))
            row.statuses[arm.status] += 1
            if arm.status == "ok":
                _count(row, arm, benchmark.fastest)
    return list(rows.values())


def has_ratio(rows: list[Standing]) -> bool:
    """True when at least one arm has a ratio to the reference, so that a plot has a point."""
    return any(row.best is not None and not row.is_reference for row in rows)


def _empty(arm: ArmSummary, run: RunSummary) -> Standing:
    return Standing(arm.arm, arm.loop, arm.version, arm.python, arm.arm == run.reference)


def _count(row: Standing, arm: ArmSummary, fastest: list[str]) -> None:
    row.verdicts[arm.verdict] += 1
    if arm.arm in fastest:
        row.alone += len(fastest) == 1
        row.shared += len(fastest) > 1
    if arm.ratio is not None:
        at = arm.ratio.estimate
        row.best = at if row.best is None else min(row.best, at)
        row.worst = at if row.worst is None else max(row.worst, at)


def absences(run: RunSummary) -> list[Absence]:
    """Grouped by arm, status and reason, in the order met."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    broken: dict[tuple[str, str, str], list[str]] = {}
    for benchmark in run.benchmarks:
        for arm in wording.candidates(benchmark):
            if arm.status != "ok":
                key = (arm.arm, arm.status, arm.reason)
                groups.setdefault(key, []).append(benchmark.id)
                broken.setdefault(key, arm.broken)
    return [
        Absence(*key, ids, everywhere=len(ids) == len(run.benchmarks), broken=broken[key])
        for key, ids in groups.items()
    ]


def by_arm(found: list[Absence]) -> list[Gone]:
    """In the order in which each is met first."""
    grouped: dict[str, list[Absence]] = {}
    for absence in found:
        grouped.setdefault(absence.arm, []).append(absence)
    return [
        Gone(arm, sum(len(each.benchmarks) for each in absences), absences)
        for arm, absences in grouped.items()
    ]


def headline(run: RunSummary) -> str:
    """The answer in one sentence; every benchmark with a valid figure is counted once."""
    decided = [benchmark.fastest for benchmark in run.benchmarks if benchmark.fastest]
    if not decided:
        return _undecided(run)
    if alone := _alone(run):
        return f"Only {alone} has a valid figure, so there is nothing to compare it with."
    if len(decided) == 1:
        return _single(run)
    winners = Counter(names[0] for names in decided if len(names) == 1).most_common()
    shared = sum(len(names) > 1 for names in decided)
    if not winners:
        return f"In none of {len(decided)} benchmarks is one loop alone in front."
    (first, count), *others = winners
    said = [f"{first} is the fastest in {count} of {len(decided)} benchmarks"]
    said += [f"{name} in {count}" for name, count in others[:3]]
    if len(others) > 3:
        said.append(f"others in {sum(count for _, count in others[3:])}")
    said = [", ".join(said)]
    said += [f"in {shared} nobody is alone in front"] if shared else []
    void = len(run.benchmarks) - len(decided)
    said += [f"{void} {'has' if void == 1 else 'have'} no valid figure"] if void else []
    return f"{'; '.join(said)}."


def _undecided(run: RunSummary) -> str:
    arms = [arm for benchmark in run.benchmarks for arm in wording.candidates(benchmark)]
    if not run.benchmarks:
        return "The run holds no benchmark, so there is no answer."
    if any(arm.status == "ok" and arm.metrics for arm in arms):
        return "Nothing was timed here: what the loops take was counted."
    if any(arm.status == "ok" for benchmark in run.benchmarks for arm in benchmark.natives):
        return "No Python loop has a valid figure, only native ones."
    if arms and all(arm.status == "unmeasured" for arm in arms):
        return "Nothing has been measured yet: the run did not get that far."
    return "Nothing valid was measured, so there is no answer."


def _alone(run: RunSummary) -> str:
    """The one loop that has figures; "" where there are more."""
    named = {
        arm.arm
        for benchmark in run.benchmarks
        for arm in wording.candidates(benchmark)
        if arm.status == "ok" and arm.values
    }
    return named.pop() if len(named) == 1 else ""


def subline(run: RunSummary) -> str:
    """By how much: the loop that leads most often against the reference; empty without one."""
    rows = [row for row in standings(run) if row.leads and not row.is_reference]
    row = max(rows, key=lambda row: (row.alone, row.leads), default=None)
    if row is None or row.best is None or row.worst is None:
        return ""
    verdicts = row.verdicts
    said = [f"{word} in {verdicts[word]}" for word in ("faster", "slower") if verdicts[word]]
    unclear = verdicts["equivalent"] + verdicts["inconclusive"]
    said += [f"no clear difference in {unclear}"] if unclear else []
    span = f"{row.best:.2g}"
    if row.worst != row.best:
        span += f" to {row.worst:.2g}"
    return (
        f"{row.arm} costs {span} times what {run.reference} costs: "
        f"{', '.join(said)} of {row.measured}."
    )


def _single(run: RunSummary) -> str:
    benchmark = next(benchmark for benchmark in run.benchmarks if benchmark.fastest)
    names = benchmark.fastest
    if len(names) == 1:
        return f"{names[0]} is the fastest at {benchmark.id}."
    return f"At {benchmark.id} nobody is alone in front: {', '.join(names)} are not separated."
