"""What all steps of a worker share: where messages go, who watches, what may be touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loopgauge.harness.worker import faults
from loopgauge.harness.worker.engine import Engine
from loopgauge.harness.worker.generator import GeneratorGone, WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.plan import AnyMessage, Begin, Phase, Plan, Poison, Status
from loopgauge.harness.worker.turns import Turns
from loopgauge.harness.worker.watchdog import Watchdog
from loopgauge.harness.worker.workload import Workload
from loopgauge.scenarios.model import CheckFailed


@dataclass
class Session:
    plan: Plan
    send: Callable[[AnyMessage], None]
    engine: Engine
    watchdog: Watchdog
    guard: Guard
    make_workload: Callable[[str, Mapping[str, Any]], Workload]
    generator: WorkerGenerator | None = None  # where a job of the plan needs it
    turns: Turns | None = None  # where other arms have processes of their own, side by side

    def begin(self, phase: Phase, arm: str, benchmark: str = "") -> None:
        """Says what comes next, so that a crash or hang has a name, and starts its time."""
        self.send(Begin(benchmark=benchmark, arm=arm, phase=phase))
        self.watchdog.start()

    def begin_slot(self, arm: str, benchmark: str) -> None:
        """The same for a slot, without what would disturb the clock."""
        self.send(Begin(benchmark=benchmark, arm=arm, phase="slot"))
        self.watchdog.keep_alive()

    def check_guard(self, arm: str) -> None:
        """Reports what changed process-wide since the last look, and blames `arm` ("": unknown)."""
        changed = self.guard.changes()
        if changed:
            self.send(Poison(arm=arm, what=changed))

    def refuse(self, benchmark: str, arm: str, error: BaseException) -> None:
        """What a scenario or loop raised is reported instead of figures. Raises what is neither's
        fault: Ctrl-C, and a generator that is gone."""
        if isinstance(error, KeyboardInterrupt | GeneratorGone):
            raise error
        invalid = (CheckFailed, self.engine.WrongCount)
        self.send(
            Status(
                benchmark=benchmark,
                arm=arm,
                status=faults.verdict(error, invalid),
                reason=faults.reason(error),
                traceback=faults.report(error),
            )
        )
