"""How well the method did: in the runs that are published with the project (reports/results), and
in simulated fleets (scripts/studies/fleets.py)."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docsite.markdown import code, table
from loopgauge.harness.errors import HarnessError
from loopgauge.harness.store import read_run
from loopgauge.harness.summary import BenchmarkSummary, RunSummary, summarise
from loopgauge.reports.wording import TIMES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "reports" / "results"
FLEETS = ROOT / "scripts" / "studies" / "fleet_figures.jsonl"
HEAD = [
    "run",
    f"benchmarks {TIMES} arms {TIMES} processes",
    "A/A intervals that hold 1",
    "A/A distance from 1: median, largest",
    "A/A spread over processes",
    "half an interval, median of all loops",
]

FLEETS_HEAD = [
    "fleets",
    "interval holds the truth",
    "without a spread of hosts",
    "prediction holds one more host",
    "odd host named",
    "by distance alone",
    "a host wrongly named",
]


def committed_runs() -> str:
    """A row for each published run; empty results are no error, for a fork may have none."""
    rows = [_row(name, run) for name, run in _runs()]
    return table(HEAD, rows) if rows else "No run has been published yet."


def _runs() -> Iterator[tuple[str, RunSummary]]:
    for path in sorted(RESULTS.glob("*.jsonl*")):
        try:
            yield path.name, summarise(read_run(path))
        except HarnessError:  # published verdicts of the conformance suite
            continue


def _row(name: str, run: RunSummary) -> list[str]:
    checked = [benchmark for benchmark in run.benchmarks if benchmark.aa is not None]
    distances = [abs(math.log(b.aa.estimate)) for b in checked if b.aa is not None]
    held = sum(b.aa.low <= 1 <= b.aa.high for b in checked if b.aa is not None)
    spreads = [spread for benchmark in checked for spread in _spread(benchmark)]
    widths = [width for benchmark in run.benchmarks for width in _widths(benchmark)]
    arms, processes = len(run.header.arms), _processes(run)
    return [
        code(name.partition(".jsonl")[0]),
        f"{len(run.benchmarks)} {TIMES} {arms} {TIMES} {processes}",
        f"{held} of {len(checked)}",
        f"{_percent(statistics.median(distances))}, {_percent(max(distances))}",
        _percent(statistics.median(spreads)),
        f"±{_percent(statistics.median(widths))}",
    ]


def _spread(benchmark: BenchmarkSummary) -> Iterator[float]:
    """Standard deviation over processes of the copy's log-ratio: noise, and each one's own bias."""
    for arm in benchmark.arms:
        if arm.role == "aa" and len(arm.ratios) > 1:
            yield statistics.stdev(math.log(ratio) for ratio in arm.ratios)


def _widths(benchmark: BenchmarkSummary) -> Iterator[float]:
    ratios = [arm.ratio for arm in benchmark.arms if arm.role == "candidate" and arm.ratio]
    for ratio in ratios:
        if ratio.low > 0 and math.isfinite(ratio.high):
            yield math.log(ratio.high / ratio.low) / 2


def _processes(run: RunSummary) -> int:
    return max((len(arm.values) for b in run.benchmarks for arm in b.arms), default=0)


def _percent(log_ratio: float) -> str:
    return f"{math.expm1(log_ratio):.1%}"


def fleets() -> str:
    """What `scripts/dev study fleets` wrote, a row for each part of its fleets."""
    lines = FLEETS.read_text("utf-8").splitlines()
    return table(FLEETS_HEAD, [_fleets_row(json.loads(line)) for line in lines])


def _fleets_row(found: dict[str, Any]) -> list[str]:
    number, plain, mixed = found["number"], found["without_odd"], found["with_odd"]
    return [
        f"{found['fleets']} ({number:,})",
        _share(found["covered"], number),
        _share(found["covered_without_spread"], number),
        _share(found["predicted"], plain),
        _share(found["odd_named"], mixed),
        _share(found["odd_by_distance"], mixed),
        _share(found["wrong_name"], number),
    ]


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "\u2013"
