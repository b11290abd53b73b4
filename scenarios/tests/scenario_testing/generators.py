"""The real load generator, one for all tests of a process, as a worker hands it to scenarios."""

from __future__ import annotations

import atexit
from functools import cache

from loopgauge.harness.worker.generator import WorkerGenerator


@cache
def generator() -> WorkerGenerator:
    made = WorkerGenerator()
    atexit.register(made.close)
    return made
