"""Time per operation on a gate's page: the plot, and both stages of every benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.gate.evidence import Evidence, Figure, Timed
from loopgauge.harness.gate.model import Decision, GateResult
from loopgauge.reports import wording
from loopgauge.reports.gate import forest, words
from loopgauge.reports.gate.forest import Row
from loopgauge.reports.plots import theme

DRAWN = 24  # rows: what does not fit on a screen is a table


@dataclass(frozen=True)
class Shown:
    """A figure of one stage; `value` is what it is sorted by."""

    text: str
    value: str


@dataclass(frozen=True)
class TimedRow:
    """`what` is one figure of it: "CPU time per step"."""

    anchor: str
    decision: Decision
    what: str
    summary: str
    figures: list[Shown]  # first stage, second stage, base against itself


@dataclass(frozen=True)
class Times:
    rows: list[TimedRow]
    wide: Markup | None
    narrow: Markup | None
    undrawn: int
    levels: tuple[str, str]  # of the intervals of both stages: "98 %", "90 %"


def times_of(result: GateResult, evidence: Evidence) -> Times:
    """In the order of the run; what only one side has comes last."""
    known = {one.benchmark.id: one for one in evidence.timed}
    order = {name: number for number, name in enumerate(known)}
    decisions = [one for one in result.decisions if one.tier == "timing"]
    decisions.sort(key=lambda one: order.get(one.subject, len(order)))
    anchors = words.anchors("time", [one.subject for one in decisions])
    drawn = chosen(decisions)
    plotted = [Row(one, flagged(one, known)) for one in drawn]
    draw = bool(plotted) and any(one.change is not None for one in drawn)
    return Times(
        rows=[
            row(anchor, one, known.get(one.subject))
            for anchor, one in zip(anchors, decisions, strict=True)
        ],
        wide=plot(plotted, forest.WIDE, "fw") if draw else None,
        narrow=plot(plotted, forest.NARROW, "fn") if draw else None,
        undrawn=len(decisions) - len(drawn),
        levels=(
            levels([one.first for one in evidence.timed]),
            levels([one.second for one in evidence.timed]),
        ),
    )


def levels(figures: Sequence[Figure | None]) -> str:
    """'96 to 98 %': each look has its own; "" where there is none."""
    found = sorted({f"{100 * one.level:.0f}" for one in figures if one is not None}, key=float)
    return f"{' to '.join(dict.fromkeys([found[0], found[-1]]))} %" if found else ""


def chosen(decisions: Sequence[Decision]) -> list[Decision]:
    """All of them, or as many as can be looked at, and then those that are not the same."""
    if len(decisions) <= DRAWN:
        return [*decisions]
    weighed = words.by_weight(decisions)[:DRAWN]
    return [one for one in decisions if one in weighed]


def flagged(one: Decision, known: Mapping[str, Timed]) -> Figure | None:
    found = known.get(one.subject)
    return found.first if found is not None and one.stage > 1 else None


def plot(rows: Sequence[Row], layout: forest.Layout, key: str) -> Markup:
    return Markup(forest.forest(rows, layout, theme.sentinel).page_svg(key))


def row(anchor: str, one: Decision, found: Timed | None) -> TimedRow:
    figures = (found.first, found.second, found.twin) if found is not None else (None,) * 3
    return TimedRow(
        anchor=anchor,
        decision=one,
        what=measured(found) if found is not None else "",
        summary=words.one_line(found.benchmark.summary) if found is not None else "",
        figures=[shown(of) for of in figures],
    )


def measured(found: Timed) -> str:
    benchmark = found.benchmark
    if benchmark.measure == "value":
        return benchmark.unit
    return f"{wording.CLOCK.get(benchmark.measure, benchmark.measure)} per {benchmark.unit}"


def shown(of: Figure | None) -> Shown:
    """'+1.8% (+1.3% to +2.1%) in 8'."""
    if of is None:
        return Shown(wording.DASH, "")
    low, high = (words.percent(end, "timing") for end in (of.low, of.high))
    text = f"{words.percent(of.change, 'timing')} ({low} to {high}) in {of.processes}"
    return Shown(text, f"{of.change:.6g}")
