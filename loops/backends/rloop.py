"""rloop: Rust on mio."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="rloop",
    factory="rloop:new_event_loop",
    distribution="rloop",
    requires_python=">=3.10",
    notes="Rust on mio",
)
