"""What of a run goes into other tools' files: one series per benchmark and arm that has figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loopgauge.harness.model import Benchmark, Event, Sample
from loopgauge.harness.pairing import SampleIndex, per_operation, slot_costs
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary

NANOSECONDS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}


@dataclass
class Export:
    """A file's text, and what the format cannot express, one line each."""

    text: str
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Series:
    name: str  # benchmark/arm, or the benchmark alone
    benchmark: Benchmark
    arm: ArmSummary
    samples: list[Sample]  # one a process, by round

    def cost(self, sample: Sample) -> float:
        """Headline of a process, the median over its slots: ns per operation, or the benchmark's
        unit where it measures a value."""
        return float(np.median(slot_costs(self.benchmark, sample)))

    def wall_ns(self, sample: Sample) -> float:
        return float(np.median(per_operation(sample.wall_ns, sample.n)))

    def process_ns(self, sample: Sample) -> float:
        return float(np.median(per_operation(sample.process_ns, sample.n)))


def series_of(run: RunFile, summary: RunSummary, *, alone: bool) -> list[Series]:
    """Of the arms that the summary holds. `alone`: one arm was chosen, so that files of different
    loops have the same names and their tool can compare them."""
    index = SampleIndex(run.samples)
    models = {benchmark.id: benchmark for benchmark in run.header.benchmarks}
    found = []
    for benchmark in summary.benchmarks:
        for arm in arms_of(benchmark):
            samples = index.samples(benchmark.id, arm.arm)
            if arm.status == "ok" and samples:
                name = benchmark.id if alone else f"{benchmark.id}/{arm.arm}"
                found.append(Series(name, models[benchmark.id], arm, samples))
    return found


def arms_of(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    floor = [benchmark.floor] if benchmark.floor is not None else []
    return [*benchmark.arms, *benchmark.natives, *floor]


def counted_only(summary: RunSummary) -> list[str]:
    """Lines about what was counted and not timed."""
    ids = [
        benchmark.id
        for benchmark in summary.benchmarks
        if any(arm.metrics and not arm.values for arm in arms_of(benchmark))
    ]
    return [f"{name}: was counted, not timed" for name in ids]


def in_nanoseconds(unit: str) -> float | None:
    """How many nanoseconds one of this unit is: of "us" and of "ns per timer"; None of no time."""
    return NANOSECONDS.get(unit.split(" ")[0])


def started(run: RunFile) -> dict[int, str]:
    """When each worker process was started (UTC, ISO)."""
    events: list[Event] = run.events
    return {
        event.process: event.utc
        for event in events
        if event.event == "worker" and event.process is not None and event.utc
    }
