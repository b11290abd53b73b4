"""The percentiles of a benchmark whose operations come at a constant rate, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli import wording

if TYPE_CHECKING:
    from loopgauge.harness.latency import Arrivals, Latencies
    from loopgauge.harness.summary import ArmSummary, BenchmarkSummary

COLUMNS = ("p50", "p90", "p99", "p99.9", "p99.99")


def latencies(benchmark: BenchmarkSummary, measured: Iterable[ArmSummary]) -> RenderableType:
    """Two rows an arm: from when a message was due, and from when it was sent."""
    floor = benchmark.floor
    arms = [*measured, *([floor] if floor is not None and floor.status == "ok" else [])]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("all processes", overflow="fold")
    table.add_column("from")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    table.add_column("most", justify="right")
    for arm in arms:
        if arm.arrivals is not None:
            table.add_row(arm.arm, "due", *figures(arm.arrivals.corrected))
            table.add_row("", Text("sent", style="dim"), *figures(arm.arrivals.service))
    lines = [Text(rate(arm.arm, arm.arrivals), style="dim") for arm in arms if arm.arrivals]
    return Group("", table, *lines)


def figures(found: Latencies) -> list[Text]:
    """A dash where the samples do not carry a percentile."""
    values = [found.percentiles.get(name) for name in COLUMNS] + [found.max_ns]
    return [
        Text("-", style="dim") if value is None else Text(wording.duration(value))
        for value in values
    ]


def rate(name: str, found: Arrivals) -> str:
    words = f"{name}: {found.achieved_per_second:,.0f} of {found.asked_per_second:,.0f} per second"
    unsent = found.due - found.answered
    if unsent:
        words += f", {unsent:,} of {found.due:,} messages never sent"
    return f"{words}; the generator was late by at most {wording.duration(found.late_max_ns)}."
