"""veloxloop: Rust."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="veloxloop",
    factory="veloxloop:new_event_loop",
    distribution="veloxloop",
    requires_python=">=3.11",
    notes="Rust; wheels up to 3.14",
)
