"""`python -m loopgauge.harness.deterministic --plan-fd P --results-fd R`, started by the harness
only, under the tool that counts."""

from __future__ import annotations

import os
import sys

from loopgauge.harness.deterministic.plan import decode_plan
from loopgauge.harness.deterministic.worker import run_plan
from loopgauge.harness.worker.main import main

if __name__ == "__main__":
    code = main(sys.argv[1:], run_plan, decode_plan)
    sys.stdout.flush()
    sys.stderr.flush()
    # No finalisation, as in the measuring worker.
    os._exit(code)
