"""`python -m loopgauge.harness.memory --plan-fd P --results-fd R`, started by the harness only."""

from __future__ import annotations

from loopgauge.harness.memory.worker import run_plan
from loopgauge.harness.worker.main import program
from loopgauge.harness.worker.plan import Plan

if __name__ == "__main__":
    program(Plan, run_plan)
