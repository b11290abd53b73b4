"""Stock asyncio on its selector loop: the control of every run."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="asyncio",
    factory="asyncio:SelectorEventLoop",
    distribution=None,
    requires_python="",
    notes="the standard library, the control",
)
