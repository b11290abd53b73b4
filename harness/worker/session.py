"""What all steps of a worker share: where messages go, who watches, what may be touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loopgauge.harness.worker.engine import Engine
from loopgauge.harness.worker.generator import WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.plan import AnyMessage, Begin, Phase, Plan, Poison
from loopgauge.harness.worker.watchdog import Watchdog
from loopgauge.harness.worker.workload import Workload


@dataclass
class Session:
    plan: Plan
    send: Callable[[AnyMessage], None]
    engine: Engine
    watchdog: Watchdog
    guard: Guard
    make_workload: Callable[[str, Mapping[str, Any]], Workload]
    generator: WorkerGenerator | None = None  # where a job of the plan needs it

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
