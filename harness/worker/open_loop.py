"""Adds up what the load generator answered at a constant rate, slot by slot."""

from __future__ import annotations

from loopgauge.harness import latency
from loopgauge.harness.load import protocol
from loopgauge.harness.model import OpenLoop


def with_slot(before: OpenLoop | None, done: protocol.Done) -> OpenLoop:
    """`done` answers a `Rate` with histograms."""
    slot = of_slot(done)
    return slot if before is None else latency.merged([before, slot])


def of_slot(done: protocol.Done) -> OpenLoop:
    found = done.open_loop
    assert found is not None, "a Rate is answered with its open loop"
    return OpenLoop(
        asked_per_second=found.asked_per_second,
        due=found.due,
        answered=done.n,
        seconds=done.n / found.achieved_per_second if done.n else 0.0,
        late_max_ns=found.late_max_ns,
        corrected=buckets(done.latency),
        service=buckets(found.service),
        corrected_max_ns=done.latency.max_ns if done.latency else 0,
        service_max_ns=found.service.max_ns if found.service else 0,
    )


def buckets(of: protocol.Latencies | None) -> list[tuple[int, int]]:
    return [] if of is None or of.buckets is None else of.buckets
