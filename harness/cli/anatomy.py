"""The explanation of an operation in a terminal: one block a loop, which computes nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli import counts
from loopgauge.harness.cli.wording import duration

if TYPE_CHECKING:
    from loopgauge.harness.explained import Anatomy, Cost, Explanation

STYLES = {"kernel": "red", "loop": "blue", "binding": "yellow", "Python": "green", "user": "cyan"}
# For eyes without colours the letters differ too.
LETTERS = {"kernel": "k", "loop": "l", "binding": "b", "Python": "P", "user": "u"}
BAR = 60  # characters at most
NARROW = 76
SHOWN = 8  # functions
SHOWN_PYTHON = 5
FILE = 24  # characters of the file's name


def print_explanation(found: Explanation, console: Console) -> None:
    benchmark = found.benchmark
    console.print(Text.assemble((benchmark.id, "bold"), f"  {benchmark.summary}"))
    console.print(Text(f"per {found.operation}, on Python {found.python.version}", style="dim"))
    console.print()
    for loop in found.loops:
        console.print(block(loop, console.width))
        console.print()
    for line in legend(found):
        console.print(Text(line, style="dim"))


def block(loop: Anatomy, width: int) -> RenderableType:
    if loop.status != "ok":
        reasons = "; ".join(loop.missing) or "nothing was measured"
        return Text.assemble((loop.arm, "bold"), "  ", (loop.status, "yellow"), f"  {reasons}")
    parts: list[RenderableType] = [heading(loop), bar(loop, width), split(loop)]
    parts += [Text(line) for line in figures(loop)]
    if loop.functions:
        parts.append(costliest("instructions", loop.functions[:SHOWN], width))
    if loop.python_functions:
        parts.append(costliest("bytecodes", loop.python_functions[:SHOWN_PYTHON], width))
    return Group(parts[0], *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts[1:]))


def heading(loop: Anatomy) -> Text:
    times = f"  wall {time(loop.wall_ns)}, CPU {time(loop.cpu_ns)}"
    instructions = loop.metrics.get("instructions")
    if instructions is not None:
        times += f", {counts.number(instructions.value)} instructions"
    return Text.assemble((loop.arm, "bold"), times)


def bar(loop: Anatomy, width: int) -> Text:
    """The parts side by side, in proportion; each at least visible where it is not nothing."""
    total = sum(loop.parts_ns.values())
    length = max(20, min(BAR, width - 4))
    made = Text(no_wrap=True)
    for part, ns in loop.parts_ns.items():
        share = ns / total if total else 0.0
        cells = max(1, round(share * length)) if share >= 0.005 else 0
        made.append(LETTERS[part] * cells, style=f"{STYLES[part]} reverse")
    return made


def split(loop: Anatomy) -> Table:
    total = sum(loop.parts_ns.values())
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    made.add_column("part", no_wrap=True)
    for title in ("CPU", "share", "instructions"):
        made.add_column(title, justify="right", no_wrap=True)
    for part, ns in loop.parts_ns.items():
        instructions = loop.parts_instructions.get(part)
        made.add_row(
            Text(part, style=STYLES[part]),
            time(ns),
            f"{ns / total:.0%}" if total else "-",
            "-" if instructions is None else counts.number(instructions),
        )
    if loop.waiting_ns:
        made.add_row(Text("waiting", style="dim"), time(loop.waiting_ns), "of the wall time", "")
    return made


def figures(loop: Anatomy) -> list[str]:
    """What is counted, one line a kind; what is missing is in the lines under the tables."""
    lines = []
    for name, title in (("syscalls", "system calls"), ("allocations", "allocations")):
        metric = loop.metrics.get(name)
        if metric is not None:
            parts = counts.by_name(metric, shown=12)
            lines.append(f"{title} {counts.number(metric.value)}" + f" ({parts})" * bool(parts))
    more = [
        f"{title} {counts.number(loop.metrics[name].value)}"
        for name, title in FURTHER.items()
        if name in loop.metrics
    ]
    return [*lines, ", ".join(more)] if more else lines


FURTHER = {
    "allocated_bytes": "bytes allocated",
    "native_allocations": "calls of malloc",
    "voluntary_switches": "context switches: voluntary",
    "involuntary_switches": "involuntary",
    "page_faults": "page faults",
    "cycles": "cycles",
    "branch_misses": "branch misses",
    "cache_misses": "cache misses",
}


def costliest(what: str, functions: list[Cost], width: int) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    made.add_column(what, justify="right", no_wrap=True)
    made.add_column("share", justify="right", no_wrap=True)
    made.add_column("function", no_wrap=True)
    if width >= NARROW:
        made.add_column("in", no_wrap=True)
    # What is left beside the two figures; names in C++ are longer than any terminal.
    room = max(8, width - 30 - (FILE if width >= NARROW else 0))
    for cost in functions:
        cells = [counts.number(cost.value), f"{cost.share:.1%}", shortened(cost.name, room)]
        made.add_row(*cells, *([shortened(cost.file, FILE)] if width >= NARROW else []))
    return made


def shortened(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"


def legend(found: Explanation) -> list[str]:
    return [
        found.method,
        "Times are of one process without tools: they need a quiet machine; counts do not.",
    ]


def time(ns: float | None) -> str:
    return "?" if ns is None or not math.isfinite(ns) else duration(ns)
