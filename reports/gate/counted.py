"""What was counted, on a gate's page: all counts in one table, and by name what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from loopgauge.harness.gate.evidence import Counted, Evidence, Part
from loopgauge.harness.gate.model import Decision, GateResult
from loopgauge.reports.gate import words
from loopgauge.reports.gate.differences import differences
from loopgauge.reports.plots import theme

DRAWN = 10  # parts
MOST = 12  # counts that are taken apart; a change of everything is the same everywhere
INTERESTING = frozenset({"REGRESSED", "IMPROVED", "EXPECTED", "INCONCLUSIVE"})


@dataclass(frozen=True)
class Apart:
    """One count of one benchmark by its parts."""

    anchor: str
    decision: Decision
    unit: str  # "instructions per step"
    parts: list[Part]
    plot: Markup


@dataclass(frozen=True)
class Counts:
    decisions: list[Decision]
    apart: list[Apart]
    more: int  # changed too, and not taken apart here


def counts_of(result: GateResult, evidence: Evidence) -> Counts:
    """Instructions that are explained are not taken apart a second time."""
    decisions = words.by_weight([one for one in result.decisions if one.tier in words.COUNTED])
    known = {(one.benchmark, one.tier): one for one in evidence.counted}
    explained = {one.explanation.benchmark.id for one in evidence.explained if one.functions}
    changed = [
        one
        for one in decisions
        if one.verdict in INTERESTING
        and not (one.tier == "instructions" and one.subject in explained)
    ]
    found = [
        (one, known[one.subject, one.tier])
        for one in changed
        if (one.subject, one.tier) in known and known[one.subject, one.tier].parts
    ]
    return Counts(
        decisions=decisions,
        apart=[apart(one, parts, number) for number, (one, parts) in enumerate(found[:MOST])],
        more=max(0, len(found) - MOST),
    )


def apart(one: Decision, counted: Counted, number: int) -> Apart:
    unit = what_of(one, counted.unit)
    return Apart(
        anchor=f"{words.anchor(one.tier, one.subject)}-{number}",
        decision=one,
        unit=unit,
        parts=counted.parts,
        plot=drawn(counted.parts, unit, f"c{number}"),
    )


def what_of(one: Decision, unit: str) -> str:
    """'instructions per step', of the unit "instruction/step"."""
    operation = words.one_line(unit.partition("/")[2] or "operation", 40)
    return f"{words.SHORT_TIERS[one.tier]} per {operation}"


def drawn(parts: Sequence[Part], what: str, key: str) -> Markup:
    return Markup(differences(parts[:DRAWN], what, theme.sentinel).page_svg(key))
