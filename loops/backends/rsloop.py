"""rsloop: Rust."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="rsloop",
    factory="rsloop:new_event_loop",
    distribution="rsloop",
    requires_python=">=3.10",
    notes="Rust; wheels for 3.14 and glibc 2.39 or newer",
)
