"""The worker program: reads the plan, makes the loops, runs the jobs, writes results as they come.

Exit status: 0 the plan is done (`bye` was sent), 1 the watchdog ended it (faulthandler's own
status), 2 the command line or the plan cannot be used, 3 the worker itself failed (traceback on
stderr), 4 the manager is gone, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from loopgauge.harness.worker import gcpolicy
from loopgauge.harness.worker.channel import Channel
from loopgauge.harness.worker.job import run_job
from loopgauge.harness.worker.lifecycle import conducted
from loopgauge.harness.worker.plan import AnyPlan, Plan, PlanError, decode_plan

DONE, UNUSABLE_PLAN, FAILED, ORPHANED, INTERRUPTED = 0, 2, 3, 4, 130
USAGE = "usage: python -m loopgauge.harness.worker --plan-fd FD --results-fd FD"


def program(kind: type[AnyPlan], run: Callable[[AnyPlan, Channel], None]) -> NoReturn:
    """The whole of a program that does `run` with a plan of `kind`."""
    code = main(sys.argv[1:], kind, run)
    sys.stdout.flush()
    sys.stderr.flush()
    # No finalisation: every result is out, and a loop's thread or destructor that hangs or
    # crashes at exit would turn a finished measurement into a failed one.
    os._exit(code)


def main(arguments: list[str], kind: type[AnyPlan], run: Callable[[AnyPlan, Channel], None]) -> int:
    """Returns the exit status."""
    try:
        plan_fd, results_fd = parse(arguments)
        with os.fdopen(plan_fd, "rb") as source:
            plan = decode_plan(source.read(), kind)
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
    with conducted(plan, channel, lambda: gcpolicy.begin(plan.gc)) as (session, arms):
        for job in plan.jobs:
            run_job(session, job, arms)
