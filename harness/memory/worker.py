"""The process of the memory tier: one loop, one benchmark, what is resident at each step. It speaks
the measuring worker's protocol."""

from __future__ import annotations

import time

from loopgauge.harness.memory import resident
from loopgauge.harness.worker import slots
from loopgauge.harness.worker.arms import Arm
from loopgauge.harness.worker.channel import Channel
from loopgauge.harness.worker.lifecycle import conducted
from loopgauge.harness.worker.plan import Counted, JobPlan, Plan
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.workload import Workload
from loopgauge.scenarios.model import CheckFailed

# A run of the smallest size is repeated for so long, so that what is allocated only now and then is
# allocated. The size is the same for every loop: a fast one must not hold more for being fast.
RUNS_S = 0.05


def run_plan(plan: Plan, channel: Channel) -> None:
    """Raises BrokenPipeError when the manager is gone."""
    [job] = plan.jobs
    with conducted(plan, channel) as (session, arms):
        for arm in arms.values():
            hold(session, job, arm)


def hold(session: Session, job: JobPlan, arm: Arm) -> None:
    """What the scenario raises is reported instead of figures."""
    try:
        workload = session.make_workload(job.scenario, job.params)
        missing = sorted(workload.requires - arm.capabilities)
        if missing:
            raise NotImplementedError(f"needs {', '.join(missing)}")
        session.send(figures(session, job, arm, workload))
        session.begin("teardown", arm.label, job.benchmark)
        workload.teardown(arm.loop)
    except BaseException as error:  # a panic of a loop in Rust is no Exception
        session.refuse(job.benchmark, arm.label, error)
    slots.let_go(session, arm)


def figures(session: Session, job: JobPlan, arm: Arm, workload: Workload) -> Counted:
    """`baseline`: everything is imported and the loop is made. `setup`, `after`: free memory given
    back. `peak`: of setup and runs."""
    slots.use_loop(arm)
    resident.give_back()
    resident.forget_peak()
    totals = {"baseline": float(resident.resident())}
    session.begin("setup", arm.label, job.benchmark)
    workload.loop_factory = arm.factory
    workload.generator = session.generator
    workload.setup(arm.loop, session.engine)
    resident.give_back()
    totals["setup"] = float(resident.resident())
    session.begin("slot", arm.label, job.benchmark)
    done = run_for_a_while(arm, workload)
    totals["peak"] = float(resident.peak())
    resident.give_back()
    totals["after"] = float(resident.resident())
    return Counted(benchmark=job.benchmark, arm=arm.label, n=done, totals=totals)


def run_for_a_while(arm: Arm, workload: Workload) -> int:
    """Returns how many operations were done."""
    n = workload.grain
    end = time.monotonic() + RUNS_S
    done = 0
    while done == 0 or time.monotonic() < end:
        verified = workload.run(arm.loop, n)
        if verified != n:
            raise CheckFailed(f"{verified} of {n} operations were done")
        done += n
    return done
