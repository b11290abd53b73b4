"""The loops of a worker: made in the plan's order, replaced when one breaks, closed at the end."""

from __future__ import annotations

import asyncio
import platform
import sys
from dataclasses import dataclass

from loopgauge.harness.worker import faults, leftovers
from loopgauge.harness.worker.guard import release_thread
from loopgauge.harness.worker.plan import ArmPlan, Leftover, Loop, Poison
from loopgauge.harness.worker.session import Session
from loopgauge.loops.registry import LoopFactory, load_factory, new_loop
from loopgauge.loops.spec import LoopSpec


@dataclass
class Arm:
    """One candidate and its loop, which this module owns.

    `threads` and `files` are what the process had before the loop was made.
    """

    label: str
    spec: LoopSpec
    capabilities: frozenset[str]
    factory: LoopFactory
    loop: asyncio.AbstractEventLoop
    threads: frozenset[int]
    files: dict[int, str]


def make_arms(session: Session) -> dict[str, Arm]:
    """By label, in creation order. An arm whose loop cannot be made is reported and left out."""
    made = (_make_arm(session, plan) for plan in session.plan.arms)
    return {arm.label: arm for arm in made if arm is not None}


def renew(session: Session, arm: Arm) -> bool:
    """Replaces a loop that failed: what its failed run left queued must not reach the next one.
    False (and reported) if no new one can be made."""
    _close(session, arm)
    session.begin("create", arm.label)
    try:
        arm.loop = new_loop(arm.spec)
    except BaseException as error:
        _report_failure(session, arm.label, error)
        return False
    session.check_guard(arm.label)
    return True


def close_arms(session: Session, arms: dict[str, Arm]) -> None:
    if session.plan.design == "probe":
        _report_restlessness(session, arms)
    for arm in arms.values():
        _close(session, arm)
    if len(arms) == 1:  # otherwise nobody could say whose it is
        _report_leftovers(session, *arms.values())


def _make_arm(session: Session, plan: ArmPlan) -> Arm | None:
    try:
        return _try_make_arm(session, plan)
    except BaseException as error:  # a panic of a loop in Rust is no Exception
        _report_failure(session, plan.arm, error)
        return None


def _try_make_arm(session: Session, plan: ArmPlan) -> Arm:
    spec = LoopSpec(name=plan.arm, factory=plan.factory, arguments=tuple(plan.arguments))
    session.begin("import", plan.arm)
    factory = load_factory(spec)
    session.check_guard(plan.arm)
    threads, files = leftovers.threads(), leftovers.open_files()
    session.begin("create", plan.arm)
    loop = new_loop(spec)
    session.check_guard(plan.arm)
    session.send(Loop(arm=plan.arm, ok=True, version=_version(spec)))
    return Arm(plan.arm, spec, frozenset(plan.capabilities), factory, loop, threads, files)


def _report_failure(session: Session, label: str, error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        raise error
    session.send(
        Loop(
            arm=label,
            ok=False,
            error=str(error).strip().partition("\n")[0] or faults.reason(error),
            traceback=faults.report(error),
        )
    )
    session.check_guard(label)


def _close(session: Session, arm: Arm) -> None:
    session.begin("teardown", arm.label)
    try:
        arm.loop.close()
    except Exception as error:
        # Nothing depends on it any more; the traceback goes to the captured stderr.
        print(f"{arm.label}: close() raised {faults.report(error)}", file=sys.stderr)
    release_thread()


def _report_restlessness(session: Session, arms: dict[str, Arm]) -> None:
    """In the probe, where every arm is alone and somebody's threads are its own."""
    session.watchdog.stop()
    if len(arms) != 1 or len(leftovers.threads()) == 1:
        return
    busy = leftovers.busy_at_rest()
    if busy:
        session.send(Poison(arm=next(iter(arms)), what=busy))


def _report_leftovers(session: Session, arm: Arm) -> None:
    session.watchdog.stop()
    left = leftovers.after_close(arm.threads, arm.files)
    if left:
        session.send(Leftover(arm=arm.label, what=left))


def _version(spec: LoopSpec) -> str:
    """As the module tells it: reading the installed metadata costs more than the rest."""
    package = spec.module.partition(".")[0]
    if package in sys.stdlib_module_names:
        return platform.python_version()
    return str(getattr(sys.modules.get(package), "__version__", ""))
