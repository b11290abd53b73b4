"""`python -m loopgauge.harness.memory --plan-fd P --results-fd R`, started by the harness only."""

from __future__ import annotations

import os
import sys

from loopgauge.harness.memory.worker import run_plan
from loopgauge.harness.worker.main import main
from loopgauge.harness.worker.plan import decode_plan

if __name__ == "__main__":
    code = main(sys.argv[1:], run_plan, decode_plan)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no finalisation, as in the measuring worker
