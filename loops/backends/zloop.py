"""zloop: Zig."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="zloop",
    factory="zloop:new_event_loop",
    distribution="zloop",
    requires_python=">=3.12",
    notes="Zig; wheels up to 3.14",
)
