"""The counted figures of a benchmark as its table shows them."""

from __future__ import annotations

import math

from loopgauge.harness.model import Metric
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary
from loopgauge.reports import wording

COLUMNS = {
    "instructions": "instructions",
    "cycles": "cycles",
    "branch_misses": "branch misses",
    "cache_misses": "cache misses",
    "allocations": "allocations",
    "allocated_bytes": "bytes allocated",
    "native_allocations": "calls of malloc",
    "voluntary_switches": "voluntary switches",
    "involuntary_switches": "involuntary switches",
    "syscalls": "system calls",
}
SHOWN = 20  # names
LEAST = 0.005  # below that a count per operation is none
TRIFLE = 0.05  # so far below zero it is none either: one context switch more in the smaller run


def rows(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """Those of which something was counted: loops, the native tier, the floor."""
    floor = [benchmark.floor] if benchmark.floor is not None else []
    arms = [*wording.candidates(benchmark), *benchmark.natives, *floor]
    return [arm for arm in arms if arm.status == "ok" and "allocations" in arm.metrics]


def columns(arms: list[ArmSummary]) -> list[tuple[str, str]]:
    """Names and titles of what at least one of them has."""
    return [
        (name, title) for name, title in COLUMNS.items() if any(name in arm.metrics for arm in arms)
    ]


def cell(arm: ArmSummary, name: str) -> str:
    metric = arm.metrics.get(name)
    return wording.DASH if metric is None else count(metric.value)


def by_name(metric: Metric | None) -> str:
    """ "recvfrom 1, sendto 1", the most first."""
    if metric is None:
        return ""
    parts = [(part, value) for part, value in metric.by_name.items() if abs(value) >= LEAST]
    words = [f"{part} {count(value)}" for part, value in parts[:SHOWN]]
    if len(parts) > SHOWN:
        words.append(f"{len(parts) - SHOWN} more")
    return ", ".join(words)


def count(value: float) -> str:
    """Whole where it is large; a few per operation with two decimals."""
    if not math.isfinite(value):
        return wording.DASH
    if -TRIFLE < value < LEAST:
        return "0"
    if abs(value) < 100:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}".replace(",", wording.NARROW_SPACE)
