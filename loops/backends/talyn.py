"""talyn: Zig."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="talyn",
    factory="talyn:Loop",
    distribution="talyn",
    requires_python=">=3.13",
    notes="Zig; wheels for 3.13 and 3.14; installs a top-level package called tests",
)
