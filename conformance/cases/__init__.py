"""The cases, one module per area or part of one. `loopgauge.conformance.case` finds them."""
