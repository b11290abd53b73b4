"""Trends, steps and machines in a terminal. Lays out what the history found, computes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli.wording import counted, duration, three_digits

if TYPE_CHECKING:
    from loopgauge.harness.history.model import MachineKind, MachineRow, Point, Series, SeriesKey
    from loopgauge.harness.history.steps import Search, Step

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"  # a run in which the loop failed
COMMIT_LENGTH = 10
DATE_LENGTH = len("2026-11-21")


def print_trends(series: Sequence[Series], others: int, console: Console) -> None:
    """A block for each machine and benchmark, a row for each series, the columns in line."""
    ordered = sorted(series, key=lambda one: one.key.machine.key)
    columns = chosen_columns(series)
    cells = {one.key: [write(one) for write in columns.values()] for one in ordered}
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells.values(), strict=True)]
    for machine, of_machine in groupby(ordered, key=lambda one: one.key.machine):
        console.print(machine_title(machine))
        for benchmark, group in groupby(of_machine, key=lambda one: one.key.benchmark):
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
            for name, width in zip(columns, widths, strict=True):
                table.add_column(name, min_width=width if name in FIXED else None, overflow="fold")
            for one in group:
                table.add_row(*cells[one.key])
            console.print(Padding(Text(benchmark), (0, 0, 0, 2), expand=False))
            console.print(Padding(table, (0, 0, 0, 4), expand=False))
        console.print()
    for note in trend_notes(series):
        console.print(Text(note, style="dim"))
    print_others(others, console)


# Where the columns stand; the rest follows, and may fold in a narrow terminal.
FIXED = ("loop", "metric", "against", "latest", "trend")


def chosen_columns(series: Sequence[Series]) -> dict[str, Callable[[Series], Text]]:
    """What each column says of a series; one that would say the same of all is left out."""
    columns: dict[str, Callable[[Series], Text]] = {
        "loop": lambda one: Text(one.key.loop, style="bold"),
        "metric": lambda one: Text(one.key.metric),
        "against": lambda one: Text(one.key.against and f"to {one.key.against}"),
        "latest": lambda one: latest_value(one.points[-1], one.key),
        "trend": lambda one: Text(sparkline([point.value for point in one.points])),
        "runs": lambda one: Text(counted(len(one.points), "run"), style="dim"),
        "date": lambda one: Text(one.points[-1].created[:DATE_LENGTH], style="dim"),
        "version": lambda one: Text(identity(one.points[-1]), style="dim"),
    }
    if len({one.key.metric for one in series}) == 1:
        del columns["metric"]
    if not {one.key.against for one in series} - {"", "asyncio"}:
        del columns["against"]
    return columns


def trend_notes(series: Sequence[Series]) -> list[str]:
    notes = []
    if any(one.key.metric == "ratio" for one in series):
        notes.append("ratio: cost over that of the loop it was measured against; below 1 is better")
    if any(point.advisory for one in series for point in one.points[-1:]):
        notes.append("~ the run's self-check failed: asyncio differed from itself")
    if any(point.value is None for one in series for point in one.points):
        notes.append(f"{GAP} the loop failed in that run")
    return notes


def latest_value(point: Point, key: SeriesKey) -> Text:
    if point.value is None:
        return Text(point.status.upper(), style="bold red")
    text = value(point.value, key)
    if point.low is not None and point.high is not None:
        text += f" [{value(point.low, key)}, {value(point.high, key)}]"
    return Text(f"{text} ~" if point.advisory else text)


def value(number: float, key: SeriesKey) -> str:
    if key.metric == "ratio":
        return f"{number:.3f}"
    if key.metric == "cost" and key.unit.startswith("ns/"):
        return duration(number)
    return three_digits(number)


def identity(point: Point) -> str:
    """What was measured: the commit where it is known, else version and build."""
    if point.commit:
        return point.commit[:COMMIT_LENGTH]
    build = f"+{point.build[:6]}" if point.build else ""
    return f"{point.version}{build}"


def sparkline(values: Sequence[float | None]) -> str:
    """From the least to the most of what is shown; all the same is a line in the middle."""
    known = [number for number in values if number is not None and math.isfinite(number)]
    if not known:
        return GAP * len(values)
    low, span = min(known), max(known) - min(known)

    def bar(number: float | None) -> str:
        if number is None or not math.isfinite(number):
            return GAP
        share = (number - low) / span if span > 0 else 0.5
        return BARS[min(len(BARS) - 1, int(share * len(BARS)))]

    return "".join(map(bar, values))


def print_steps(found: Search, others: int, console: Console) -> None:
    for step in found.steps:
        console.print(step_title(step))
        console.print(Padding(Text(step_detail(step)), (0, 0, 0, 2), expand=False))
    if found.steps:
        console.print()
    searched = found.series - found.too_short
    short = f" ({counted(found.too_short, 'line')} had too few runs)" if found.too_short else ""
    console.print(
        Text(
            f"{counted(len(found.steps), 'step')} of {found.margin:.1%} or more in"
            f" {counted(searched, 'line')}{short}; were there none, the chance of finding one would"
            f" be below {found.alpha:.0%}",
            style="dim",
        )
    )
    print_others(others, console)


def step_title(step: Step) -> Text:
    key = step.series
    size = f"{step.change:+.1%}" if step.change is not None else f"{step.shift:+.3g} {key.unit}"
    if step.low is not None and step.high is not None:
        size += f" [{step.low:+.1%}, {step.high:+.1%}]"
    return Text.assemble(
        (size, "red" if step.worse else "green"),
        f"  {key.benchmark}  ",
        (key.loop, "bold"),
        f"  {key.metric}{f' to {key.against}' if key.against else ''}",
        (f"  {'worse' if step.worse else 'better'}", "red" if step.worse else "green"),
    )


def step_detail(step: Step) -> str:
    before, after = identity(step.last_before), identity(step.at)
    what = f"{before} → {after}" if before != after else f"{after} before and after"
    return (
        f"since {step.at.created} (run {step.at.run}), {what}; p {step.p:.2g};"
        f" {counted(step.before, 'run')} before, {step.after} since; {step.series.machine.title}"
    )


def print_machines(rows: Sequence[MachineRow], console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("key", "CPU", "kernel", "Python", "build", "runs", "first", "last"):
        table.add_column(title, overflow="fold", justify="right" if title == "runs" else "left")
    for row in rows:
        machine = row.machine
        table.add_row(
            Text(machine.key, style="bold"),
            Text(machine.cpu_model or "unknown"),
            Text(machine.kernel),
            machine.python,
            machine.build_kind,
            f"{row.runs:,}",
            row.first[:DATE_LENGTH],
            row.last[:DATE_LENGTH],
        )
    console.print(table)


def machine_title(machine: MachineKind) -> Text:
    return Text.assemble((machine.key, "bold"), f"  {machine.title}")


def print_others(others: int, console: Console) -> None:
    if others:
        noun = "kind" if others == 1 else "kinds"
        console.print(
            Text(
                f"{others} other {noun} of machine: bench history machines, --machine all",
                style="dim",
            )
        )
