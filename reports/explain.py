"""The page of `bench explain`: one self-contained HTML file."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from loopgauge.harness.explained import Anatomy, Cost, Explanation
from loopgauge.reports import wording
from loopgauge.reports.counts import by_name, count
from loopgauge.reports.pages import environment, write
from loopgauge.reports.plots import anatomy as plots
from loopgauge.reports.plots import theme

COUNTS = {
    "syscalls": "System calls",
    "allocations": "Allocations",
    "native_allocations": "Calls of malloc",
    "voluntary_switches": "Voluntary context switches",
    "involuntary_switches": "Involuntary context switches",
    "page_faults": "Page faults",
    "cycles": "Cycles",
    "branch_misses": "Branch misses",
    "cache_misses": "Cache misses",
}


@dataclass(frozen=True)
class PartView:
    name: str
    time: str
    share: str
    instructions: str


@dataclass(frozen=True)
class LoopView:
    anchor: str
    anatomy: Anatomy
    figures: str
    plot: Markup | None
    parts: list[PartView]
    counts: list[tuple[str, str]]
    costs: list[tuple[str, list[Cost]]]


def render_explanation(found: Explanation, out: Path) -> Path:
    """Writes the page to `out` (folders are made) and returns it. Raises OSError."""
    return write(page(found), out)


def page(found: Explanation) -> str:
    made = environment(number=wording.number)
    return made.get_template("explain.html.j2").render(
        found=found,
        facts=facts(found),
        command=shlex.join(found.command),
        overview=overview(found),
        loops=[view(loop, number, found) for number, loop in enumerate(found.loops)],
    )


def facts(found: Explanation) -> list[tuple[str, str]]:
    kind = found.python.build_kind
    return [
        ("machine", found.machine or "unknown CPU"),
        ("Python", f"{found.python.version}{', ' + kind + ' build' if kind else ''}"),
        ("when", found.created.replace("T", " ").replace("Z", " UTC")),
    ]


def overview(found: Explanation) -> Markup | None:
    if not any(loop.parts_ns for loop in found.loops):
        return None
    drawn = plots.overview(found.loops, found.operation, theme.sentinel)
    return Markup(drawn.page_svg("o"))


def view(loop: Anatomy, number: int, found: Explanation) -> LoopView:
    plot = None
    if loop.parts_ns:
        drawn = plots.parts(loop, found.operation, theme.sentinel)
        plot = Markup(drawn.page_svg(f"p{number}"))
    return LoopView(
        anchor=re.sub(r"[^A-Za-z0-9_.]+", "-", f"loop-{loop.arm}-{number}"),
        anatomy=loop,
        figures=figures(loop),
        plot=plot,
        parts=parts(loop),
        counts=counts(loop),
        costs=[
            (title, costs)
            for title, costs in (
                ("Machine code, by instructions", loop.functions),
                ("Python functions, by bytecodes", loop.python_functions),
            )
            if costs
        ],
    )


def figures(loop: Anatomy) -> str:
    words = [
        f"{name} {wording.duration(ns)}"
        for name, ns in (("wall", loop.wall_ns), ("CPU", loop.cpu_ns), ("waiting", loop.waiting_ns))
        if ns is not None
    ]
    instructions = loop.metrics.get("instructions")
    if instructions is not None:
        words.append(f"{wording.number(instructions.value)} instructions")
    return ", ".join(words)


def parts(loop: Anatomy) -> list[PartView]:
    total = sum(loop.parts_ns.values())
    views = []
    for part, ns in loop.parts_ns.items():
        instructions = loop.parts_instructions.get(part)
        views.append(
            PartView(
                part,
                wording.duration(ns),
                f"{ns / total:.0%}" if total else wording.DASH,
                wording.DASH if instructions is None else wording.number(instructions),
            )
        )
    return views


def counts(loop: Anatomy) -> list[tuple[str, str]]:
    lines = []
    for name, title in COUNTS.items():
        metric = loop.metrics.get(name)
        if metric is not None:
            parts = by_name(metric)
            lines.append((title, count(metric.value) + f" ({parts})" * bool(parts)))
    return lines
