"""`python -m loopgauge.harness.worker --plan-fd P --results-fd R`, started by the manager only."""

from __future__ import annotations

import os
import sys

from loopgauge.harness.worker.main import main, run_plan
from loopgauge.harness.worker.plan import decode_plan

if __name__ == "__main__":
    code = main(sys.argv[1:], run_plan, decode_plan)
    sys.stdout.flush()
    sys.stderr.flush()
    # No finalisation: every result is out, and a loop's thread or destructor that hangs or
    # crashes at exit would turn a finished measurement into a failed one.
    os._exit(code)
