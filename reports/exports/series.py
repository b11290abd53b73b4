"""What of a summary goes into the files of services that keep trends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopgauge.harness.model import Metric
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Ratio, RunSummary

# Counts that repeat. Switches and page faults are of the moment, and would raise alarms.
REPEATING = ("instructions", "syscalls", "allocations", "allocated_bytes", "rss", "peak_rss")


@dataclass(frozen=True)
class Series:
    name: str  # benchmark/arm, or the benchmark alone
    benchmark: BenchmarkSummary
    arm: ArmSummary

    @property
    def unit(self) -> str:
        """Of the cost: "ns/step", or the unit of a value."""
        if self.benchmark.measure == "value":
            return self.benchmark.unit
        return f"ns/{self.benchmark.unit}"

    @property
    def has_cost(self) -> bool:
        return math.isfinite(self.arm.cost)

    @property
    def ratio(self) -> Ratio | None:
        """To the reference, which is measured beside it and takes the machine out of the figure;
        None of the reference itself."""
        return self.arm.ratio if self.arm.verdict != "reference" else None

    @property
    def metrics(self) -> Sequence[Metric]:
        found = self.arm.metrics
        return [found[name] for name in REPEATING if name in found]


def series_of(summary: RunSummary, *, alone: bool) -> Iterator[Series]:
    """Of all arms that have figures. `alone`: names do without the arm."""
    for benchmark in summary.benchmarks:
        floor = [benchmark.floor] if benchmark.floor is not None else []
        for arm in [*benchmark.arms, *benchmark.natives, *floor]:
            if arm.status == "ok":
                name = benchmark.id if alone else f"{benchmark.id}/{arm.arm}"
                yield Series(name, benchmark, arm)
