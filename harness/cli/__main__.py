"""`python -m loopgauge.harness.cli` is `bench`."""

from __future__ import annotations

from loopgauge.harness.cli import main

main(prog_name="bench")
