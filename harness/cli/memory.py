"""The memory figures of a benchmark in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli.wording import three_digits

if TYPE_CHECKING:
    from loopgauge.harness.model import Metric
    from loopgauge.harness.summary import ArmSummary, BenchmarkSummary

SIZES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def arms_with_memory(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """Least first; the floor last."""
    arms = [arm for arm in benchmark.arms if arm.role != "aa" and has_memory(arm)]
    arms.sort(key=lambda arm: value(arm, "rss" if "rss" in arm.metrics else "peak_rss"))
    floor = benchmark.floor
    return [*arms, floor] if floor is not None and has_memory(floor) else arms


def has_memory(arm: ArmSummary) -> bool:
    return arm.status == "ok" and "peak_rss" in arm.metrics


def table(arms: Sequence[ArmSummary]) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    made.add_column("memory", overflow="fold", max_width=32)
    each = [arm.metrics["rss"] for arm in arms if "rss" in arm.metrics]
    if each:
        made.add_column(f"per {each[0].unit.rpartition('/')[2]}", justify="right")
    for title in ("peak", "set up", "left after"):
        made.add_column(title, justify="right")
    for arm in arms:
        peak = arm.metrics["peak_rss"]
        parts = [peak.by_name.get(name) for name in ("set up", "left after the runs")]
        cells = [amount(part) for part in (peak.value, *parts)]
        made.add_row(Text(arm.arm), *([of(arm.metrics.get("rss"))] if each else []), *cells)
    return made


def of(metric: Metric | None) -> str:
    return amount(None if metric is None else metric.value)


def amount(size: float | None) -> str:
    """ "1.17 KiB"."""
    if size is None or not math.isfinite(size):
        return "-"
    for factor, unit in SIZES:
        if abs(size) >= factor:
            return f"{three_digits(size / factor)} {unit}"
    return f"{size:.0f} B"


def value(arm: ArmSummary, name: str) -> float:
    metric = arm.metrics.get(name)
    return math.inf if metric is None else metric.value
