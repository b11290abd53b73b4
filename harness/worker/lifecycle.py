"""What every program of the worker's protocol does around its work, from `hello` to `bye`."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import sys
from collections.abc import Callable, Iterator

from loopgauge.harness.worker.arms import Arm, close_arms, make_arms
from loopgauge.harness.worker.channel import Channel
from loopgauge.harness.worker.engine import load_engine
from loopgauge.harness.worker.generator import WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.job import needs_generator
from loopgauge.harness.worker.plan import Bye, Hello, Plan
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.turns import Turns
from loopgauge.harness.worker.watchdog import STDERR, Watchdog
from loopgauge.harness.worker.workload import make_workload


@contextlib.contextmanager
def conducted(
    plan: Plan, channel: Channel, settle: Callable[[], None] = lambda: None
) -> Iterator[tuple[Session, dict[str, Arm]]]:
    """The session and the loops of a plan, under the watchdog. `settle` changes what belongs to the
    process as a whole, before the guard takes note of it. Raises BrokenPipeError when the manager
    is gone."""
    faulthandler.enable(file=STDERR)
    watchdog = Watchdog(plan.hang_timeout)
    watchdog.start()
    try:
        sys.path[:0] = plan.path
        sys.path += plan.behind
        engine = load_engine()
        version = platform.python_version()
        channel.send(Hello(pid=os.getpid(), python=version, process=plan.process, gc=plan.gc))
        settle()
        session = Session(plan, channel.send, engine, watchdog, Guard(), make_workload)
        # Before the loops: its socket is not to be taken for something that one of them left.
        if any(needs_generator(session, job) for job in plan.jobs):
            session.generator = WorkerGenerator()
        if plan.turns is not None:
            session.turns = Turns(
                plan.arms[0].arm,
                plan.turns.inbound,
                plan.turns.outbound,
                plan.hang_timeout,
                watchdog.start,
            )
        arms = make_arms(session)
        yield session, arms
        close_arms(session, arms)
        if session.generator is not None:
            session.generator.close()
        channel.send(Bye())
    finally:
        watchdog.stop()
