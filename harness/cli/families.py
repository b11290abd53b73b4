"""The families of a run in a terminal: who is the fastest at what, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli import wording

if TYPE_CHECKING:
    from loopgauge.harness.summary import FamilyArm, FamilySummary, RunSummary

FEWEST = 2  # benchmarks: one alone does not speak for its family
LEAD = {
    "clear": "ahead",
    "slight": "slightly ahead",
    "noise": "undecided: noise",
    "shared": "not separated",
    "unknown": "too few processes to tell",
    "alone": "nobody else has all benchmarks",
}


def shown(summary: RunSummary) -> list[FamilySummary]:
    """Those of several benchmarks in which somebody has a figure: costs, then waits."""
    return [
        family
        for family in (*summary.families, *summary.waits)
        if len(family.compared) >= FEWEST and family.fastest and len(family.arms) > 1
    ]


def table(families: Sequence[FamilySummary], reference: str) -> Table:
    """One row per family; the mean over its benchmarks."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("family", "fastest", f"x {reference}", "lead", "next, x the fastest"):
        made.add_column(title, overflow="fold")
    for family in families:
        first = next(arm for arm in family.arms if arm.arm == family.fastest[0])
        waits = ", waiting" if family.kind == "wait" else ""
        made.add_row(
            Text(f"{family.family}{waits}", style="bold"),
            Text(_named(family)),
            "" if len(family.fastest) > 1 else _ratio(first),
            Text(LEAD.get(family.lead, ""), style="green" if family.lead == "clear" else "yellow"),
            _next(family),
        )
    return made


def _named(family: FamilySummary) -> str:
    """In the order of the run file: several are not separated."""
    return ", ".join(arm.arm for arm in family.arms if arm.arm in family.fastest)


def _ratio(arm: FamilyArm) -> str:
    return "" if arm.ratio is None else wording.multiple(arm.ratio, interval=True)


def _next(family: FamilySummary) -> str:
    behind = family.runner_up
    if behind is None or behind.to_fastest is None or len(family.fastest) > 1:
        return ""
    return f"{behind.arm} {wording.multiple(behind.to_fastest, interval=True)}"
