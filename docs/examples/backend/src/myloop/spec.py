"""What loopgauge reads about this loop; nothing else of the package has to know loopgauge."""

from __future__ import annotations

from loopgauge.loops.spec import LoopSpec

SPEC = LoopSpec(
    name="myloop",
    factory="myloop:new_event_loop",
    distribution="myloop",
    requires_python=">=3.11",
    notes="begun from a template",
)
