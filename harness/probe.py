"""Before anything counts: each arm by itself, in a process of its own, through every benchmark.

Finds out who is unavailable, unsupported, invalid, crashes, hangs or poisons, and how many
operations fill a slot. Nothing measured here enters the results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from loopgauge.harness import budget
from loopgauge.harness.errors import WorkerUnusable
from loopgauge.harness.isolation import Roster, isolated
from loopgauge.harness.model import ALL_BENCHMARKS, Arm, Benchmark, Event
from loopgauge.harness.reception import Reception
from loopgauge.harness.worker.plan import AnyMessage, Samples
from loopgauge.harness.worker_process import Outcome

MOST_WALL = 3.0  # a slot may last that many times its meant length in wall time


@dataclass(frozen=True)
class ProbeSlot:
    done: int
    wall_s: float
    cpu_s: float

    def iterations(self, benchmark: Benchmark, slot_s: float) -> int:
        """How many operations fill a slot by the clock that counts: on a loaded machine wall time
        would make CPU slots too short. One that mostly waits must not become endless either."""
        seconds = self.wall_s
        if benchmark.measure == "cpu":
            seconds = max(self.cpu_s, self.wall_s / MOST_WALL)
        return budget.iterations(seconds, self.done, slot_s, benchmark.grain)


@dataclass
class Findings:
    """`slots`: (benchmark, arm) -> the checked slot."""

    events: list[Event] = field(default_factory=list)
    slots: dict[tuple[str, str], ProbeSlot] = field(default_factory=dict)


# Runs one probe worker: arm, benchmarks, where its messages go.
RunProbe = Callable[[Arm, list[Benchmark], Callable[[AnyMessage], None]], Outcome]


def probe(
    arms: list[Arm],
    benchmarks: list[Benchmark],
    run: RunProbe,
    report: Callable[[str, float], None],
) -> Findings:
    """`report` is told the arm at work and the share of arms that are through."""
    findings = Findings()
    candidates = [arm for arm in arms if arm.available and arm.role != "aa"]
    for number, arm in enumerate(candidates):
        report(arm.label, number / len(candidates))
        _probe_arm(arm, benchmarks, run, findings)
    _extend_to_twin(arms, findings)
    return findings


def _probe_arm(arm: Arm, benchmarks: list[Benchmark], run: RunProbe, findings: Findings) -> None:
    """All benchmarks in one process; after a death the guilty one by itself, then the rest."""
    roster = Roster([arm], benchmarks)
    left = [b for b in benchmarks if roster.takes_part(b.id, arm.label)]
    while left:
        outcome, finished = _run_once(arm, left, run, findings, roster)
        left = [b for b in left if b.id not in finished and roster.takes_part(b.id, arm.label)]
        if outcome.end == "done":
            return
        guilty = _blame(outcome, arm, left, findings, roster)
        left = [b for b in left if b is not guilty and roster.takes_part(b.id, arm.label)]
        while guilty and roster.takes_part(guilty.id, arm.label):
            outcome, _ = _run_once(arm, [guilty], run, findings, roster)
            if outcome.end == "done":
                break
            _blame(outcome, arm, [guilty], findings, roster)


def _run_once(
    arm: Arm, benchmarks: list[Benchmark], run: RunProbe, findings: Findings, roster: Roster
) -> tuple[Outcome, set[str]]:
    """Returns how it ended and which benchmarks came to an end."""
    reception = Reception(
        {(benchmark.id, arm.label): 1 for benchmark in benchmarks}, on_samples=_keep(findings)
    )
    outcome = run(arm, benchmarks, reception)
    if outcome.end != "done" and outcome.last is None:
        raise WorkerUnusable(
            f"the worker cannot start: it {outcome.predicate}; it said: {outcome.detail[-500:]}",
            "Is loopgauge built for this Python? scripts/dev build, or reinstall it",
        )
    poisons = [event for event in reception.events if event.event == "poison"]
    if poisons:
        reception.events.append(isolated(arm.label, ALL_BENCHMARKS, poisons[0].reason))
    for event in reception.events:
        event.arm = event.arm or arm.label
    _record(reception.events, findings, roster)
    return outcome, reception.ended


def _keep(findings: Findings) -> Callable[[Samples], None]:
    def keep(message: Samples) -> None:
        findings.slots[message.benchmark, message.arm] = ProbeSlot(
            message.n[0], message.wall_ns[0] / 1e9, message.process_ns[0] / 1e9
        )

    return keep


def _blame(
    outcome: Outcome, arm: Arm, left: list[Benchmark], findings: Findings, roster: Roster
) -> Benchmark | None:
    """Records the death. None where it was the arm as a whole, which is then given up."""
    assert outcome.last is not None
    name = outcome.last.benchmark
    guilty = next((benchmark for benchmark in left if benchmark.id == name), None)
    if guilty is None:
        death = Event(
            event="hang" if outcome.end == "hang" else "crash",
            arm=arm.label,
            phase=outcome.last.phase,
            reason=f"{outcome.reason} outside of any benchmark",
            signal=outcome.signal,
            detail=outcome.detail,
            final=True,
        )
        _record([death], findings, roster)
        return None
    _record(roster.on_death(outcome, process=None), findings, roster)
    return guilty


def _record(events: list[Event], findings: Findings, roster: Roster) -> None:
    findings.events += events
    roster.apply(events)


def _extend_to_twin(arms: list[Arm], findings: Findings) -> None:
    """The A/A twin is the reference once more: what holds for one holds for the other."""
    twin = next((arm for arm in arms if arm.role == "aa"), None)
    reference = next((arm for arm in arms if arm.role == "reference"), None)
    if twin is None or reference is None:
        return
    for (benchmark, arm), slot in list(findings.slots.items()):
        if arm == reference.label:
            findings.slots[benchmark, twin.label] = slot
    copies = [
        msgspec.structs.replace(event, arm=twin.label)
        for event in findings.events
        if event.arm == reference.label
    ]
    findings.events += copies
