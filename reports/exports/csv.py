"""One line per run, benchmark and arm, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from loopgauge.harness.spreadsheet import harmless
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, Ratio, RunSummary

COLUMNS = [
    "run",
    "benchmark",
    "measure",
    "unit",
    "direction",
    "arm",
    "loop",
    "version",
    "python",
    "role",
    "status",
    "reason",
    "cost",
    "cost_low",
    "cost_high",
    "process_ns",
    "thread_ns",
    "wall_ns",
    "ratio",
    "ratio_low",
    "ratio_high",
    "ratio_sign_low",
    "ratio_sign_high",
    "processes",
    "to_fastest",
    "to_fastest_low",
    "to_fastest_high",
    "to_floor",
    "to_floor_low",
    "to_floor_high",
    "among_fastest",
    "verdict",
    "design",
    "isolated",
    "values",
]

# What an address inside double quotes holds as it is: less than base64 would take.
PLAIN = " !$'()*+,-./:;=?@[]^_`{|}~"


def csv_text(summaries: Sequence[RunSummary], *, values: bool = True) -> str:
    """Costs in ns per operation, or in `unit` where `measure` is "value"; missing is empty, and so
    is the time of a loop that breaks a promise: a data frame shows nothing in grey. `values`: with
    the column of every process's cost."""
    columns = COLUMNS if values else [name for name in COLUMNS if name != "values"]
    out = StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_row(run, benchmark, arm) for run, benchmark, arm in _everyone(summaries))
    return out.getvalue()


def values_text(summaries: Sequence[RunSummary]) -> str:
    """A line per run, benchmark and arm with one column per process, by round: its costs, and in a
    second line its ratios to the reference."""
    everyone = list(_everyone(summaries))
    most = max((len(_values(arm)) for _, _, arm in everyone), default=0)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run", "benchmark", "arm", "what", "unit", *range(1, most + 1)])
    for run, benchmark, arm in everyone:
        unit = benchmark.unit if benchmark.measure == "value" else f"ns/{benchmark.unit}"
        line = [harmless(words) for words in (run.header.run, benchmark.id, arm.arm)]
        for what, of, found in (("cost", unit, _values(arm)), ("ratio", "", arm.ratios)):
            if found:
                writer.writerow([*line, what, harmless(of), *map(_exact, found)])
    return out.getvalue()


def write_csv(summaries: Sequence[RunSummary], out: Path) -> Path:
    out.write_text(csv_text(summaries), encoding="utf-8")
    return out


def data_uri(text: str) -> str:
    """A CSV file inside a link, so that a page can hand it out without a server."""
    return f"data:text/csv;charset=utf-8,{quote(text, safe=PLAIN)}"


def _everyone(
    summaries: Sequence[RunSummary],
) -> Iterator[tuple[RunSummary, BenchmarkSummary, ArmSummary]]:
    for run in summaries:
        for benchmark in run.benchmarks:
            floor = [benchmark.floor] if benchmark.floor is not None else []
            for arm in [*benchmark.arms, *benchmark.natives, *floor]:
                yield run, benchmark, arm


def _row(run: RunSummary, benchmark: BenchmarkSummary, arm: ArmSummary) -> dict[str, Any]:
    costs = (math.nan,) * 3 if arm.set_aside else (arm.cost, arm.cost_low, arm.cost_high)
    figures = {
        **dict(zip(("cost", "cost_low", "cost_high"), costs, strict=True)),
        "process_ns": arm.process_ns,
        "thread_ns": arm.thread_ns,
        "wall_ns": arm.wall_ns,
        **_ratio("ratio", arm.ratio),
        **_ratio("to_fastest", arm.to_fastest),
        **_ratio("to_floor", arm.to_floor),
    }
    if arm.ratio is not None:
        figures["ratio_sign_low"] = arm.ratio.sign_low
        figures["ratio_sign_high"] = arm.ratio.sign_high
    words = {
        "run": run.header.run,
        "benchmark": benchmark.id,
        "measure": benchmark.measure,
        "unit": benchmark.unit,
        "direction": benchmark.direction,
        "arm": arm.arm,
        "loop": arm.loop,
        "version": arm.version,
        "python": arm.python,
        "role": arm.role,
        "status": arm.status,
        "reason": arm.reason,
    }
    return {
        **{name: harmless(value) for name, value in words.items()},
        "processes": len(_values(arm)),
        "among_fastest": int(arm.arm in benchmark.fastest),
        "verdict": arm.verdict,
        "design": arm.design,
        "isolated": int(arm.isolated),
        "values": " ".join(_exact(value) for value in _values(arm)),
        **{name: _exact(value) for name, value in figures.items()},
    }


def _values(arm: ArmSummary) -> list[float]:
    return [] if arm.set_aside else arm.values


def _ratio(name: str, of: Ratio | None) -> dict[str, float]:
    if of is None:
        return {}
    return {name: of.estimate, f"{name}_low": of.low, f"{name}_high": of.high}


def _exact(value: float) -> str:
    """Seven digits; an interval without an end is empty, as a missing figure is."""
    return f"{value:.7g}" if math.isfinite(value) else ""
