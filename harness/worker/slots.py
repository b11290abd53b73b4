"""The timed part of a job: the schedule through Google Benchmark, slot by slot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from loopgauge.harness.model import OpenLoop
from loopgauge.harness.worker import gcpolicy, open_loop
from loopgauge.harness.worker.arms import Arm
from loopgauge.harness.worker.engine import Timed
from loopgauge.harness.worker.guard import release_thread
from loopgauge.harness.worker.plan import JobPlan, Poison, Samples
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.turns import TurnLost
from loopgauge.harness.worker.workload import Workload

# Before each slot a share of it runs untimed, so that caches and branch predictors no longer hold
# the arm before. Costs an eighth of the time; a scenario whose grain is larger does without, its
# slots being long.
WARM_SHARE = 8


@dataclass
class Runner:
    """One arm in one job, and what was measured of it."""

    arm: Arm
    workload: Workload
    n: int = 0
    samples: list[Sample] = field(default_factory=list)
    open_loop: OpenLoop | None = None

    def run(self, n: int) -> int:
        return self.workload.run(self.arm.loop, n)

    @property
    def timed(self) -> Timed:
        """What a slot consists of: C++ where the work is C++ altogether."""
        return self.workload.direct_work() or self.run

    @property
    def warm_n(self) -> int:
        """Operations of the short warm-up: a multiple of the grain, possibly none."""
        grain = self.workload.grain
        return self.n // WARM_SHARE // grain * grain


@dataclass(frozen=True)
class Slot:
    """`index` is the position in the job's whole schedule."""

    index: int
    block: int
    arm: str


@dataclass(frozen=True)
class Sample:
    """Totals of one slot, in nanoseconds."""

    slot: Slot
    wall_ns: int
    thread_ns: int
    process_ns: int
    nivcsw: int
    value: float | None


def schedule(job: JobPlan, arms: list[str]) -> list[Slot]:
    """In order; without blocks one slot per arm."""
    blocks = job.blocks or [arms]
    flat = [(block, arm) for block, labels in enumerate(blocks) for arm in labels]
    return [Slot(index, block, arm) for index, (block, arm) in enumerate(flat)]


def measure(
    session: Session,
    job: JobPlan,
    runners: dict[str, Runner],
    drop: Callable[[Runner, BaseException], None],
) -> None:
    """Runs the schedule. An arm that raises is dropped (`drop` removes it from `runners`), and the
    slots of the others go on in their order."""
    slots = schedule(job, list(runners))
    while slots := [slot for slot in slots if slot.arm in runners]:
        failed = _run_until_failure(session, job, runners, slots)
        if failed is None:
            return
        position, error = failed
        drop(runners[slots[position].arm], error)
        slots = slots[position + 1 :]


def use_loop(arm: Arm) -> None:
    """As asyncio.Runner does it: code under test may ask for the current loop."""
    asyncio.set_event_loop(arm.loop)


def let_go(session: Session, arm: Arm) -> None:
    """Takes the thread back from a loop that has stopped running."""
    asyncio.set_event_loop(None)
    left = release_thread()
    if left:
        session.send(Poison(arm=arm.label, what=left))


def collect(job: JobPlan, runner: Runner) -> Samples:
    samples = runner.samples
    values = [sample.value for sample in samples if sample.value is not None]
    return Samples(
        benchmark=job.benchmark,
        arm=runner.arm.label,
        n=[runner.n] * len(samples),
        block=[sample.slot.block for sample in samples],
        slot=[sample.slot.index for sample in samples],
        wall_ns=[sample.wall_ns for sample in samples],
        process_ns=[sample.process_ns for sample in samples],
        thread_ns=[sample.thread_ns for sample in samples],
        value=values or None,
        nivcsw=[sample.nivcsw for sample in samples],
        open_loop=runner.open_loop,
    )


def _run_until_failure(
    session: Session, job: JobPlan, runners: dict[str, Runner], slots: list[Slot]
) -> tuple[int, BaseException] | None:
    """The position in `slots` that raised, and what; None when all were done."""

    def prepare(position: int) -> None:
        runner = runners[slots[position].arm]
        if session.turns is not None:
            session.turns.take(slots[position].index)
        session.begin_slot(runner.arm.label, job.benchmark)
        use_loop(runner.arm)
        if runner.warm_n:
            runner.run(runner.warm_n)
        gcpolicy.before_slot(session.plan.gc)

    def finished(position: int, wall_ns: int, thread_ns: int, process_ns: int, nivcsw: int) -> None:
        slot = slots[position]
        runner = runners[slot.arm]
        let_go(session, runner.arm)
        if session.turns is not None:
            session.turns.give(slot.index)
        value = runner.workload.last_value() if runner.workload.measure == "value" else None
        if (answer := runner.workload.take_open_loop()) is not None:
            runner.open_loop = open_loop.with_slot(runner.open_loop, answer)
        runner.samples.append(Sample(slot, wall_ns, thread_ns, process_ns, nivcsw, value))

    timed = [(runners[slot.arm].timed, runners[slot.arm].n) for slot in slots]
    try:
        session.engine.run_slots(timed, prepare, finished)
    except session.engine.SlotError as failure:
        if isinstance(failure.__cause__, TurnLost):
            raise failure.__cause__ from failure
        return failure.slot, failure.__cause__ or failure
    return None
