"""The worker program: reads the plan, makes the loops, runs the jobs, writes results as they come.

Exit status: 0 the plan is done (`bye` was sent), 1 the watchdog ended it (faulthandler's own
status), 2 the command line or the plan cannot be used, 3 the worker itself failed (traceback on
stderr), 4 the manager is gone, 130 interrupted.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

from loopgauge.harness.worker import gcpolicy
from loopgauge.harness.worker.arms import close_arms, make_arms
from loopgauge.harness.worker.channel import Channel
from loopgauge.harness.worker.engine import load_engine
from loopgauge.harness.worker.generator import WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.job import needs_generator, run_job
from loopgauge.harness.worker.plan import Bye, Hello, Plan, PlanError
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.watchdog import STDERR, Watchdog
from loopgauge.harness.worker.workload import make_workload

P = TypeVar("P", bound=Plan)
DONE, UNUSABLE_PLAN, FAILED, ORPHANED, INTERRUPTED = 0, 2, 3, 4, 130
USAGE = "usage: python -m loopgauge.harness.worker --plan-fd FD --results-fd FD"


def main(
    arguments: list[str],
    run: Callable[[P, Channel], None],
    decode: Callable[[bytes], P],
) -> int:
    """`run`: what a program of this protocol does with the plan that `decode` reads."""
    try:
        plan_fd, results_fd = parse(arguments)
        with os.fdopen(plan_fd, "rb") as source:
            plan = decode(source.read())
        channel = Channel(results_fd)
    except (PlanError, OSError) as error:
        print(f"{error}\n{USAGE}", file=sys.stderr)
        return UNUSABLE_PLAN
    try:
        run(plan, channel)
    except KeyboardInterrupt:
        return INTERRUPTED  # quietly: the manager had the same Ctrl-C and decides
    except BrokenPipeError:
        return ORPHANED
    except Exception:
        traceback.print_exc()
        return FAILED
    return DONE


def parse(arguments: list[str]) -> tuple[int, int]:
    """By hand: argparse would cost every worker 10 ms. Raises PlanError."""
    match arguments:
        case ["--plan-fd", plan, "--results-fd", results] if (plan + results).isdecimal():
            return int(plan), int(results)
    raise PlanError(f"these arguments make no sense: {' '.join(arguments) or '(none)'}")


def run_plan(plan: Plan, channel: Channel) -> None:
    """Raises BrokenPipeError when the manager is gone."""
    faulthandler.enable(file=STDERR)
    watchdog = Watchdog(plan.hang_timeout)
    watchdog.start()
    try:
        sys.path[:0] = plan.path
        engine = load_engine()
        channel.send(
            Hello(
                pid=os.getpid(),
                python=platform.python_version(),
                process=plan.process,
                gc=plan.gc,
            )
        )
        gcpolicy.begin(plan.gc)
        session = Session(plan, channel.send, engine, watchdog, Guard(), make_workload)
        # Before the loops: its socket is not to be taken for something that one of them left.
        if any(needs_generator(session, job) for job in plan.jobs):
            session.generator = WorkerGenerator()
        arms = make_arms(session)
        for job in plan.jobs:
            run_job(session, job, arms)
        close_arms(session, arms)
        if session.generator is not None:
            session.generator.close()
        channel.send(Bye())
    finally:
        watchdog.stop()
