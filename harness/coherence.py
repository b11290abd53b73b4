"""What a line of a run file can say wrong although every field has its type: the schema cannot
tell, and the figures would be made of it, or a reader would stumble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from loopgauge.harness.model import Header, Sample

MOST = 10**18  # in nanoseconds 30 years: beyond it figures stop being exact, or to fit their arrays
LEAST = 1e-100  # what rounding leaves of a difference is larger


def fault_of_header(header: Header) -> str:
    """In a few words; "" where there is none."""
    twice = _twice(arm.label for arm in header.arms)
    if twice:
        return f"two arms are called {twice!r}"
    twice = _twice(benchmark.id for benchmark in header.benchmarks)
    if twice:
        return f"two benchmarks are called {twice!r}"
    for arm in header.arms:
        if arm.python not in header.environment.interpreters:
            return f"arm {arm.label!r} has Python {arm.python!r}, which is not described"
    return ""


def fault_of_sample(sample: Sample) -> str:
    """In a few words; "" where there is none."""
    slots = len(sample.n)
    if not slots:
        return "a sample without a slot"
    needed = (sample.block, sample.slot, sample.wall_ns, sample.process_ns, sample.thread_ns)
    lengths = {len(one) for one in (*needed, sample.value or sample.n, sample.nivcsw or sample.n)}
    if lengths != {slots}:
        return "arrays of different lengths in one sample"
    if min(sample.n) < 1:
        return "a slot without an operation"
    times = (sample.n, sample.wall_ns, sample.process_ns, sample.thread_ns)
    if any(max(map(abs, array)) > MOST for array in times):
        return f"more than {MOST} operations or nanoseconds in a slot"
    if not all(map(can_be, sample.value or ())):
        return "a value that nothing can have"
    return ""


def can_be(figure: float) -> bool:
    """Whether ratios of such figures, and their logarithms, are numbers."""
    return figure == 0 or LEAST <= abs(figure) <= MOST


def _twice(names: Iterable[str]) -> str:
    return next((name for name, count in Counter(names).items() if count > 1), "")
