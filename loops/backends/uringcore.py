"""uringcore: Rust on io_uring."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="uringcore",
    factory="uringcore:UringEventLoop",
    distribution="uringcore",
    requires_python=">=3.10",
    notes="Rust on io_uring; wheels for 3.13",
)
