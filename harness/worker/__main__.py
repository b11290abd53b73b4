"""`python -m loopgauge.harness.worker --plan-fd P --results-fd R`, started by the manager only."""

from __future__ import annotations

from loopgauge.harness.worker.main import program, run_plan
from loopgauge.harness.worker.plan import Plan

if __name__ == "__main__":
    program(Plan, run_plan)
