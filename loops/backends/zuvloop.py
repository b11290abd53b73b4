"""zuvloop: Zig on libuv."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="zuvloop",
    factory="zuvloop:new_event_loop",
    distribution="zuvloop",
    requires_python=">=3.14",
    notes="Zig on libuv",
)
