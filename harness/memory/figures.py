"""From what was resident in a process to the metrics of a run file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from loopgauge.harness.model import Benchmark, Metric
from loopgauge.scenarios.model import Holds

Totals = Mapping[str, float]
TOOL = "/proc/self/smaps_rollup"


def peak(benchmark: Benchmark, arm: str, processes: Sequence[Totals]) -> Metric:
    """What the benchmark adds to a process that has imported everything and made the loop, at the
    most; the median over processes. `raw`: of each its baseline and its peak."""
    added = [totals["peak"] - totals["baseline"] for totals in processes]
    return Metric(
        benchmark=benchmark.id,
        arm=arm,
        metric="peak_rss",
        unit="byte",
        value=median(added),
        raw=[totals[key] for totals in processes for key in ("baseline", "peak")],
        by_name={
            "set up": median([totals["setup"] - totals["baseline"] for totals in processes]),
            "left after the runs": median(
                [totals["after"] - totals["setup"] for totals in processes]
            ),
        },
        tool="/proc/self/status",
    )


def each(
    benchmark: Benchmark, arm: str, holds: Holds, few: Sequence[Totals], many: Sequence[Totals]
) -> Metric:
    """What one of what the scenario holds takes: two processes that differ in their number."""
    held = [median([growth(totals, holds.moment) for totals in size]) for size in (few, many)]
    return Metric(
        benchmark=benchmark.id,
        arm=arm,
        metric="rss",
        unit=f"byte/{holds.unit}",
        value=(held[1] - held[0]) / (holds.sizes[1] - holds.sizes[0]),
        n=list(holds.sizes),
        raw=held,
        tool=TOOL if holds.moment != "peak" else "/proc/self/status",
    )


def growth(totals: Totals, moment: str) -> float:
    return totals[moment] - totals["baseline"]
