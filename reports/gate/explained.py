"""Where the time of a changed benchmark goes on both sides, on a gate's page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.explained import Anatomy
from loopgauge.harness.gate.evidence import Evidence, Explained, Part
from loopgauge.harness.model import Metric
from loopgauge.reports import wording
from loopgauge.reports.counts import LEAST, by_name, count
from loopgauge.reports.gate import words
from loopgauge.reports.gate.counted import drawn
from loopgauge.reports.gate.looking import cpu, signed_time
from loopgauge.reports.plots import anatomy as plots
from loopgauge.reports.plots import theme


@dataclass(frozen=True)
class PartRow:
    name: str
    base: str
    head: str
    change: str


@dataclass(frozen=True)
class Changes:
    """Functions of one kind that changed most."""

    title: str
    plot: Markup
    parts: list[Part]


@dataclass(frozen=True)
class ExplainedView:
    anchor: str
    subject: str
    name: str
    operation: str
    bars: Markup | None
    parts: list[PartRow]
    changes: list[Changes]
    counts: list[PartRow]
    method: str
    left_out: list[str]


def explained_of(evidence: Evidence) -> list[ExplainedView]:
    return [view(one, number) for number, one in enumerate(evidence.explained)]


def view(one: Explained, number: int) -> ExplainedView:
    found = one.explanation
    base, head = found.loops
    bars = None
    if base.parts_ns or head.parts_ns:
        bars = Markup(
            plots.overview([base, head], found.operation, theme.sentinel).page_svg(f"e{number}")
        )
    kinds = (
        ("Machine code, by instructions", f"instructions per {found.operation}", one.functions),
        (
            "Python functions, by bytecodes",
            f"bytecodes per {found.operation}",
            one.python_functions,
        ),
    )
    return ExplainedView(
        anchor=f"{words.anchor('explained', found.benchmark.id)}-{number}",
        subject=found.benchmark.id,
        name=words.one_line(found.benchmark.id),
        operation=found.operation,
        bars=bars,
        parts=[*times(base, head)],
        changes=[
            Changes(title, drawn(parts, what, f"e{number}k{kind}"), parts)
            for kind, (title, what, parts) in enumerate(kinds)
            if parts
        ],
        counts=counts(base, head),
        method=found.method,
        left_out=[words.one_line(line) for line in found.left_out],
    )


def times(base: Anatomy, head: Anatomy) -> list[PartRow]:
    """CPU time by part; no change where a side has no figure."""
    names = dict.fromkeys([*base.parts_ns, *head.parts_ns])
    rows = [time_row(name, base.parts_ns.get(name), head.parts_ns.get(name)) for name in names]
    if base.parts_ns and head.parts_ns:
        rows.append(time_row("CPU time", cpu(base), cpu(head)))
    return rows


def time_row(name: str, base: float | None, head: float | None) -> PartRow:
    before, after = (wording.DASH if ns is None else wording.duration(ns) for ns in (base, head))
    change = wording.DASH if base is None or head is None else signed_time(head - base)
    return PartRow(name, before, after, change)


def shown(before: Metric, after: Metric) -> bool:
    return max(before.value, after.value) >= LEAST


def counted(metric: Metric) -> str:
    """'2 (epoll_wait 1, recvfrom 1)'."""
    names = by_name(metric)
    return count(metric.value) + f" ({names})" * bool(names)


COUNTS = {
    "syscalls": "system calls",
    "allocations": "allocations",
    "native_allocations": "calls of malloc",
    "voluntary_switches": "voluntary context switches",
}


def counts(base: Anatomy, head: Anatomy) -> list[PartRow]:
    rows = []
    for name, title in COUNTS.items():
        before, after = base.metrics.get(name), head.metrics.get(name)
        if before is not None and after is not None and shown(before, after):
            change = words.signed(after.value - before.value)
            rows.append(PartRow(title, counted(before), counted(after), change))
    return rows
