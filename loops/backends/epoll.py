"""The built-in loop: C++ on epoll."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="epoll",
    factory="loopgauge.loops.epoll:new_event_loop",
    distribution="loopgauge",
    requires_python=">=3.11",
    notes="the built-in loop, C++ on epoll",
    needs=("loopgauge._core",),
)
