"""`python -m loopgauge.harness.load --control FD [--cpu N]`, started by `client` only."""

from __future__ import annotations

import sys

from loopgauge.harness.load.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
