"""The figures of a pytest session, below its own results."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loopgauge.harness import statistics
from loopgauge.harness.model import Benchmark
from loopgauge.harness.pairing import SampleIndex, paired_costs
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, BenchmarkSummary, RunSummary, summarise

JSON_SCHEMA = 1
ONE_PROCESS = (
    "one process: its intervals hold for this process only, and each process is off by 1 to 2 %"
    " of its own; --loop-benchmark-processes 8 measures in more"
)


def show(run: RunFile, terminal: pytest.TerminalReporter) -> None:
    summary = summarise(run)
    terminal.section("loop benchmarks")
    for benchmark in summary.benchmarks:
        clock = {"cpu": "CPU time", "wall": "elapsed time"}.get(benchmark.measure, "")
        terminal.write_line(f"{benchmark.id.partition(':')[2]}  ({clock} per call)")
        model = next(b for b in run.header.benchmarks if b.id == benchmark.id)
        for line in lines(run, summary, benchmark, model):
            terminal.write_line(f"  {line}")
    for note in notes(run, summary):
        terminal.write_line(f"note: {note}")
    terminal.write_line(f"run: {near(run.path)} (bench report, bench compare)")


def lines(
    run: RunFile, summary: RunSummary, benchmark: BenchmarkSummary, model: Benchmark
) -> list[str]:
    arms = [arm for arm in benchmark.arms if arm.status != "unsupported"]
    width = max((len(arm.arm) for arm in arms), default=0)
    shown = []
    for arm in arms:
        if arm.status != "ok" or not arm.values:
            shown.append(f"{arm.arm:<{width}}  {arm.status}: {arm.reason}")
            continue
        against = comparison(run, summary, arm, model)
        shown.append(f"{arm.arm:<{width}}  {duration(arm.cost):>9}  {against}".rstrip())
    return shown


def comparison(run: RunFile, summary: RunSummary, arm: ArmSummary, model: Benchmark) -> str:
    """ "0.652 x asyncio [0.648, 0.655]": a cost as a multiple of the reference's."""
    if arm.arm == summary.reference or arm.ratio is None:
        return ""
    low, high = arm.ratio.low, arm.ratio.high
    if not math.isfinite(high):
        low, high = within_process(run, arm.arm, summary.reference, model)
    interval = f" [{low:.3f}, {high:.3f}]" if math.isfinite(high) else ""
    return f"{arm.ratio.estimate:.3f} x {summary.reference}{interval}"


def within_process(run: RunFile, arm: str, reference: str, model: Benchmark) -> tuple[float, float]:
    """The interval over the blocks of the last process."""
    index = SampleIndex(run.samples)
    arms, references = index.rounds(model.id, arm), index.rounds(model.id, reference)
    common = sorted(arms.keys() & references.keys())
    pair = paired_costs(model, arms[common[-1]], references[common[-1]]) if common else None
    if pair is None:
        return -math.inf, math.inf
    low, high = np.exp(statistics.signed_rank_interval(statistics.block_log_ratios(*pair)))
    return float(low), float(high)


def notes(run: RunFile, summary: RunSummary) -> list[str]:
    found = [event.reason for event in run.events if event.event == "note"]
    processes = len({sample.process for sample in run.samples})
    compared = any(
        arm.ratio and arm.arm != summary.reference for b in summary.benchmarks for arm in b.arms
    )
    return [*found, *summary.notes, *([ONE_PROCESS] if processes == 1 and compared else [])]


def write_json(run: RunFile, path: Path) -> None:
    """The same document as `bench run --json` prints."""
    document = {
        "schema": JSON_SCHEMA,
        "kind": "run-summary",
        **msgspec.to_builtins(summarise(run)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def duration(ns: float) -> str:
    """Three digits that count, in the unit that fits."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= factor:
            return f"{ns / factor:.3g} {unit}"
    return f"{ns:.3g} ns"


def near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
