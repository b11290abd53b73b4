"""The counted figures of a benchmark in a terminal: what one operation takes."""

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

# Below NAMES_FROM system calls have no names; below CARDS a row no longer fits and becomes lines.
CARDS_BELOW = 76
NAMES_FROM = 100
NAMES_SHOWN = 4

COLUMNS = {
    "instructions": "instructions",
    "allocations": "allocations",
    "native_allocations": "malloc",
    "voluntary_switches": "switches",
    "syscalls": "system calls",
}
# What a kernel with hardware counters adds.
MORE = {"cycles": "cycles", "branch_misses": "branch misses", "cache_misses": "cache misses"}


def arms_with_counts(benchmark: BenchmarkSummary) -> list[ArmSummary]:
    """Fewest instructions first; the floor last."""
    arms = [arm for arm in (*benchmark.arms, *benchmark.natives) if arm.role != "aa"]
    found = [arm for arm in arms if arm.status == "ok" and COLUMNS.keys() & arm.metrics.keys()]
    found.sort(key=lambda arm: value(arm, "instructions"))
    floor = benchmark.floor
    if floor is not None and floor.status == "ok" and COLUMNS.keys() & floor.metrics.keys():
        found.append(floor)
    return found


def table(arms: Sequence[ArmSummary], width: int) -> Table:
    """One row an arm; in a narrow terminal a few lines."""
    columns = {name: title for name, title in (COLUMNS | MORE).items() if present(arms, name)}
    if width < CARDS_BELOW:
        return cards(arms, columns)
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    made.add_column("per operation", overflow="fold", max_width=32)
    for name, title in columns.items():
        made.add_column(title, justify="left" if name == "syscalls" else "right", overflow="fold")
    for arm in arms:
        cells = [cell(arm, name, names=width >= NAMES_FROM) for name in columns]
        made.add_row(Text(arm.arm), *cells)
    return made


def cards(arms: Sequence[ArmSummary], columns: dict[str, str]) -> Table:
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    made.add_column("loop", overflow="fold", max_width=24)
    made.add_column("counts", overflow="fold")
    for arm in arms:
        words = [f"{cell(arm, name, names=False)} {title}" for name, title in columns.items()]
        made.add_row(Text(arm.arm), ", ".join(words))
    return made


def cell(arm: ArmSummary, name: str, *, names: bool) -> str:
    metric = arm.metrics.get(name)
    if metric is None:
        return "-"
    words = number(metric.value)
    calls = by_name(metric) if name == "syscalls" and names else ""
    return f"{words} ({calls})" if calls else words


def by_name(metric: Metric, shown: int = NAMES_SHOWN) -> str:
    """ "recvfrom 1, sendto 1", the most frequent first."""
    parts = [(name, value) for name, value in metric.by_name.items() if abs(value) >= 0.005]
    words = [f"{name} {number(value)}" for name, value in parts[:shown]]
    if len(parts) > shown:
        words.append(f"{len(parts) - shown} more")
    return ", ".join(words)


def number(value: float) -> str:
    """Whole where it is large, with two decimals where a count per operation is a few."""
    if not math.isfinite(value):
        return "-"
    if -0.05 < value < 0.005:  # below zero: one context switch more in the smaller run
        return "0"
    if abs(value) < 100:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}" if abs(value) < 1e9 else three_digits(value)


def present(arms: Sequence[ArmSummary], name: str) -> bool:
    return any(name in arm.metrics for arm in arms)


def value(arm: ArmSummary, name: str) -> float:
    metric = arm.metrics.get(name)
    return math.inf if metric is None else metric.value
