"""uvloop: Cython on libuv, what most people compare with."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="uvloop",
    factory="uvloop:new_event_loop",
    distribution="uvloop",
    requires_python=">=3.8.1",
    notes="Cython on libuv",
)
