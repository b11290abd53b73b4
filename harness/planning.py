"""From the probe's findings to the header's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loopgauge.harness import budget, schedule
from loopgauge.harness.budget import LIMITS, Fit, Limits, Load
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Allocation, Benchmark, Plan
from loopgauge.harness.probe import Findings
from loopgauge.harness.request import RunRequest
from loopgauge.harness.subject import Subject

PROBE_S = 0.03  # one benchmark of one arm in the probe, calibration included
PROBE_SHARE = 0.5  # of the budget at most, however long the probe took


def limits_of(request: RunRequest) -> Limits:
    limits = request.limits or LIMITS[request.setting]
    if request.budget_s is not None:
        limits = replace(limits, budget_s=request.budget_s)
    if request.rounds is not None:
        rounds = request.rounds
        limits = replace(limits, rounds_least=rounds, rounds_wanted=rounds, rounds_most=rounds)
    return limits


def guess_s(limits: Limits, arms: Sequence[str], slots_s: Mapping[str, float]) -> float:
    """Wall time of the timed part of a run as far as it can be told before the probe: every slot
    of its meant length. `slots_s`: benchmark -> what its scenario asks for at least."""
    loads = {
        benchmark: Load(dict.fromkeys(arms, max(limits.slot_s, slot_s)))
        for benchmark, slot_s in slots_s.items()
    }
    probe_s = len(arms) * (budget.START_S + PROBE_S * len(loads))
    return probe_s + budget.fit(loads, limits, limits.budget_s).expected_s


def plan(request: RunRequest, subject: Subject, findings: Findings, probe_s: float) -> Plan:
    """Raises NothingToMeasure when no arm came through the probe anywhere."""
    limits = limits_of(request)
    roster = Roster(subject.arms, subject.benchmarks)
    roster.apply(findings.events)
    counts = {b.id: slot_counts(b, roster, findings, limits.slot_s) for b in subject.benchmarks}
    if request.equal_work:
        counts = {name: as_the_most(found) for name, found in counts.items()}
    if not any(counts.values()):
        told = [
            event.reason if event.event == "lacking" else f"{event.arm}: {event.reason}"
            for event in findings.events
            if event.event != "note"
        ]
        reasons = "; ".join(dict.fromkeys(told))
        raise NothingToMeasure(f"no loop came through any benchmark ({reasons})")
    loads = {
        benchmark.id: load_of(benchmark, roster, findings, counts[benchmark.id])
        for benchmark in subject.benchmarks
        if counts[benchmark.id]
    }
    available = limits.budget_s - min(probe_s, PROBE_SHARE * limits.budget_s)
    fitted = budget.fit(loads, limits, available)
    return Plan(
        method=schedule.METHOD,
        rounds=fitted.rounds,
        rounds_least=limits.rounds_least,
        rounds_most=limits.rounds_most if fitted.short else fitted.rounds,
        batch=limits.batch,
        slot_s=limits.slot_s,
        warmup=limits.warmup,
        budget_s=limits.budget_s,
        expected_s=fitted.expected_s,
        hang_timeout_s=limits.hang_timeout_s,
        turns=limits.turns,
        allocations={
            benchmark.id: allocation(benchmark, loads, fitted, counts)
            for benchmark in subject.benchmarks
        },
    )


def slot_counts(
    benchmark: Benchmark, roster: Roster, findings: Findings, slot_s: float
) -> dict[str, int]:
    arms = [*roster.together(benchmark.id), *roster.alone(benchmark.id)]
    return {
        arm: findings.slots[benchmark.id, arm].iterations(benchmark, max(slot_s, benchmark.slot_s))
        for arm in arms
        if (benchmark.id, arm) in findings.slots
    }


def as_the_most(counts: dict[str, int]) -> dict[str, int]:
    """What starting and ending a run costs is part of an operation's cost by as much as there are
    operations: two copies of one loop whose slots had 7 000 and 20 000 differed by 3.4 %."""
    return dict.fromkeys(counts, max(counts.values(), default=0))


def load_of(
    benchmark: Benchmark, roster: Roster, findings: Findings, counts: dict[str, int]
) -> Load:
    slots = {}
    for arm, count in counts.items():
        slot = findings.slots[benchmark.id, arm]
        slots[arm] = slot.wall_s * count / slot.done
    return Load(slots, frozenset(roster.alone(benchmark.id)) & slots.keys())


def allocation(
    benchmark: Benchmark, loads: dict[str, Load], fitted: Fit, counts: dict[str, dict[str, int]]
) -> Allocation:
    load = loads.get(benchmark.id)
    return Allocation(
        blocks=fitted.blocks.get(benchmark.id, 0),
        block_s=load.block_s if load else 0.0,
        iterations=counts[benchmark.id],
        design=benchmark.design,
    )
