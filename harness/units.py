"""What is left to do in a round, as worker processes. A pure function of the header, the roster
and what is recorded: a first run, a run after a crash and a resumed run all ask the same question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loopgauge.harness import schedule
from loopgauge.harness.budget import SETUP_S, START_S
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Design, Header, Sample


@dataclass(frozen=True)
class Job:
    benchmark: str
    arms: tuple[str, ...]
    slots: int  # of each arm


@dataclass(frozen=True)
class Unit:
    """One worker process to be."""

    round: int
    design: Design
    creation: tuple[str, ...]
    jobs: tuple[Job, ...]
    hash_seed: int
    padding: int


class Recorded:
    """Which samples are there. One with fewer than half its blocks (another arm failed in the
    middle) stays in the file, but is measured again."""

    def __init__(self, header: Header, samples: Iterable[Sample] = ()) -> None:
        self._planned = {name: a.blocks for name, a in header.plan.allocations.items()}
        self._done: set[tuple[int, str, str]] = set()
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        if 2 * len(sample.n) >= self._planned.get(sample.benchmark, 0):
            self._done.add((sample.round, sample.benchmark, sample.arm))

    def has(self, round_number: int, benchmark: str, arm: str) -> bool:
        return (round_number, benchmark, arm) in self._done

    def __len__(self) -> int:
        return len(self._done)


def pending(header: Header, roster: Roster, recorded: Recorded, round_number: int) -> list[Unit]:
    return [
        *_shared_units(header, roster, recorded, round_number),
        *_own_units(header, roster, recorded, round_number),
    ]


def next_unit(header: Header, roster: Roster, recorded: Recorded, rounds: int) -> Unit | None:
    for round_number in range(rounds):
        units = pending(header, roster, recorded, round_number)
        if units:
            return units[0]
    return None


def _shared_units(
    header: Header, roster: Roster, recorded: Recorded, round_number: int
) -> list[Unit]:
    names = [benchmark.id for benchmark in header.benchmarks]
    batches = schedule.batches(header.seed, round_number, names, header.plan.batch)
    units = []
    for number, batch in enumerate(batches):
        wanted = {}
        for name in batch:
            arms = roster.together(name)
            if not all(recorded.has(round_number, name, arm) for arm in arms):
                wanted[name] = arms
        if wanted:
            units.append(_unit(header, round_number, "hybrid", f"batch{number}", wanted))
    return units


def _own_units(header: Header, roster: Roster, recorded: Recorded, round_number: int) -> list[Unit]:
    names = [benchmark.id for benchmark in header.benchmarks]
    labels = [arm.label for arm in header.arms]
    left = {
        name: [arm for arm in roster.alone(name) if not recorded.has(round_number, name, arm)]
        for name in names
    }
    batches = schedule.batches(header.seed, round_number, names, header.plan.batch)
    if header.plan.turns:
        batches = [group for batch in batches for group in _of_one_company(batch, left)]
    units = []
    for arm in schedule.process_order(header.seed, round_number, header.plan.rounds, labels):
        for number, batch in enumerate(batches):
            wanted = {name: [arm] for name in batch if arm in left[name]}
            if wanted:
                key = f"own{number}/{arm}"
                units.append(_unit(header, round_number, "process", key, wanted))
    return units


def _of_one_company(batch: Sequence[str], left: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Processes take turns only if they have the same benchmarks. What an arm cannot do must not
    part it from the others everywhere."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in batch:
        groups.setdefault(tuple(left[name]), []).append(name)
    return list(groups.values())


def _unit(
    header: Header, round_number: int, design: Design, key: str, wanted: dict[str, list[str]]
) -> Unit:
    labels = [arm.label for arm in header.arms]
    present = {arm for arms in wanted.values() for arm in arms}
    # Drawn over all labels, so that the order does not change when one of them drops out.
    creation = schedule.creation_order(header.seed, round_number, key, labels)
    jobs = tuple(
        Job(name, tuple(arms), header.plan.allocations[name].blocks)
        for name, arms in wanted.items()
    )
    return Unit(
        round=round_number,
        design=design,
        creation=tuple(label for label in creation if label in present),
        jobs=jobs,
        hash_seed=schedule.hash_seed(header.seed, round_number, key),
        padding=schedule.padding(header.seed, round_number, key),
    )


def beside(header: Header, pending: Sequence[Unit], unit: Unit) -> list[Unit]:
    """The units that run side by side with this one and take turns with it, itself among them: the
    arms of one round that have a process each, with the same benchmarks."""
    if not header.plan.turns or unit.design != "process":
        return [unit]
    names = [job.benchmark for job in unit.jobs]
    return [
        one
        for one in pending
        if one.design == "process"
        and one.round == unit.round
        and [job.benchmark for job in one.jobs] == names
    ]


def blocks(header: Header, units: Sequence[Unit], job: Job) -> list[list[str]]:
    """The slot order of a job, over the arms of all `units` that take turns; drawn when it is
    needed, since planning asks for units often."""
    arms = [arm for unit in units for arm in unit.creation]
    named = [arm for arm in arms if len(units) > 1 or arm in job.arms]
    order = [arm.label for arm in header.arms if arm.label in named]
    return schedule.job_blocks(header.seed, units[0].round, job.benchmark, order, job.slots)


def expected_s(header: Header, unit: Unit, benchmark: str) -> float:
    """Wall time of one benchmark in one process, with its share of the process's start."""
    job = next(job for job in unit.jobs if job.benchmark == benchmark)
    allocation = header.plan.allocations[benchmark]
    share = len(job.arms) / max(1, len(allocation.iterations))
    slots = job.slots + header.plan.warmup
    return allocation.block_s * share * slots + SETUP_S * len(job.arms) + START_S / len(unit.jobs)
