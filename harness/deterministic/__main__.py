"""`python -m loopgauge.harness.deterministic --plan-fd P --results-fd R`, started by the harness
only, under the tool that counts."""

from __future__ import annotations

from loopgauge.harness.deterministic.plan import CountPlan
from loopgauge.harness.deterministic.worker import run_plan
from loopgauge.harness.worker.main import program

if __name__ == "__main__":
    program(CountPlan, run_plan)
