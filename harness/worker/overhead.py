"""What the harness itself adds to an operation of the native tier."""

from __future__ import annotations

import statistics

from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.slots import Runner
from loopgauge.scenarios.empty import EmptyOperation
from loopgauge.scenarios.native import NativeLoop

SLOTS = 9


def harness_ns(session: Session, runner: Runner) -> float | None:
    """CPU nanoseconds per operation inside the timed region: as many empty operations as the arm
    had real ones, in slots of their own that go the same way. None where it makes no sense: for
    an arm that is no native loop, a scenario that measures a value, and the probe."""
    loop = runner.arm.loop
    if (
        not isinstance(loop, NativeLoop)
        or runner.workload.measure == "value"
        or session.plan.design == "probe"
    ):
        return None
    empty = EmptyOperation()
    empty.setup(loop, session.engine)
    taken: list[int] = []

    def finished(slot: int, wall: int, thread: int, process: int, switches: int) -> None:
        taken.append(process)

    work = empty.direct_work()
    assert work is not None
    try:
        session.engine.run_slots([(work, runner.n)] * SLOTS, lambda slot: None, finished)
    finally:
        empty.teardown(loop)
    return statistics.median(taken) / runner.n
