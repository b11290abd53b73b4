"""The counting process: one loop, one benchmark, two runs of different size.

It speaks the measuring worker's protocol and ends as that does (harness/worker/main.py).
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from loopgauge.harness.deterministic.counters import Counter, make_counter, quiet
from loopgauge.harness.deterministic.plan import CountPlan
from loopgauge.harness.deterministic.sizes import two_sizes
from loopgauge.harness.worker import gcpolicy, slots
from loopgauge.harness.worker.arms import Arm
from loopgauge.harness.worker.channel import Channel
from loopgauge.harness.worker.lifecycle import conducted
from loopgauge.harness.worker.plan import Counted, JobPlan, Phase
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.workload import Workload
from loopgauge.scenarios.model import CheckFailed

SLOWDOWN = 50  # about what callgrind costs
WARM_UPS = 2  # runs of the smallest size before anything is counted


def run_plan(plan: CountPlan, channel: Channel) -> None:
    """Raises BrokenPipeError when the manager is gone."""

    def settle() -> None:
        gcpolicy.begin(plan.gc)
        if plan.how == "callgrind":
            slow_down_clocks()

    [job] = plan.jobs
    with conducted(plan, channel, settle) as (session, arms):
        for arm in arms.values():
            with placement(session):
                count(session, job, arm, make_counter(plan, session.engine))


def slow_down_clocks() -> None:
    """Whoever hands the GIL on every 5 ms would do so fifty times as often per operation here, and
    not at the same operations in each run."""
    sys.setswitchinterval(SLOWDOWN * sys.getswitchinterval())


def placement(session: Session) -> contextlib.AbstractContextManager[None]:
    generator = session.generator
    return contextlib.nullcontext() if generator is None else generator.core_for_the_loop()


def count(session: Session, job: JobPlan, arm: Arm, counter: Counter) -> None:
    """What the scenario raises is reported, and the arm's figures with it are not."""
    workload: Workload | None = None
    try:
        workload = prepared(session, job, arm)
        for message in both_runs(session, job, arm, workload, counter):
            session.send(message)
        begin(session, "teardown", arm, job)
        workload.teardown(arm.loop)
    except BaseException as error:  # a panic of a loop in Rust is no Exception
        session.refuse(job.benchmark, arm.label, error)
    slots.let_go(session, arm)


def prepared(session: Session, job: JobPlan, arm: Arm) -> Workload:
    workload = session.make_workload(job.scenario, job.params)
    missing = sorted(workload.requires - arm.capabilities)
    if missing:
        raise NotImplementedError(f"needs {', '.join(missing)}")
    begin(session, "setup", arm, job)
    quiet(arm.loop)
    # A thread that looks after the run would be counted with it: the watchdog is enough.
    settings: Any = workload
    settings.patience = session.plan.hang_timeout
    workload.loop_factory = arm.factory
    workload.generator = session.generator
    workload.setup(arm.loop, session.engine)
    return workload


def both_runs(
    session: Session, job: JobPlan, arm: Arm, workload: Workload, counter: Counter
) -> list[Counted]:
    def run(n: int) -> int:
        done = workload.run(arm.loop, n)
        if done != n:
            raise CheckFailed(f"{done} of {n} operations were done")
        return done

    def enough(n: int) -> bool:
        gcpolicy.before_slot(session.plan.gc)
        return counter.enough(run, n)

    begin(session, "warmup", arm, job)
    for _ in range(WARM_UPS):
        run(workload.grain)
    begin(session, "calibrate", arm, job)
    sizes = two_sizes(workload.grain, enough)
    counted = []
    for index, n in enumerate(sizes):
        session.begin_slot(arm.label, job.benchmark)  # starts no thread, whose calls would count
        gcpolicy.before_slot(session.plan.gc)
        totals = counter.count(run, n, index)
        counted.append(Counted(benchmark=job.benchmark, arm=arm.label, n=n, totals=totals))
    counter.close()
    return counted


def begin(session: Session, phase: Phase, arm: Arm, job: JobPlan) -> None:
    session.begin(phase, arm.label, job.benchmark)
    slots.use_loop(arm)
