"""blazio: Zig on io_uring."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="blazio",
    factory="blazio:new_event_loop",
    distribution="blazio",
    requires_python=">=3.12",
    notes="Zig on io_uring; wheels up to 3.14",
)
