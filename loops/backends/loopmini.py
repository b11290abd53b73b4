"""loopmini: Rust, derived from asyncio's BaseEventLoop."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="loopmini",
    factory="loopmini:new_event_loop",
    distribution="loopmini",
    requires_python=">=3.11",
    notes="Rust under BaseEventLoop; wheels up to 3.14",
)
