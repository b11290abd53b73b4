"""SOON: call_soon and call_soon_threadsafe."""

from __future__ import annotations

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial


@case("SOON-001.three", expected="a, b, c: the order of the calls")
def order_of_calls(t: Trial) -> None:
    """Three callbacks are scheduled one after the other, before the loop runs."""
    for name in "abc":
        t.loop.call_soon(t.event, name)
    t.spin()
    t.saw("a", "b", "c")
