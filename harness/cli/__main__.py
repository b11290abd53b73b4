"""`python -m loopgauge.harness.cli` is `bench`."""

from __future__ import annotations

from loopgauge.harness.cli import main

if __name__ == "__main__":  # processes that `multiprocessing` starts import this file again
    main(prog_name="bench")
