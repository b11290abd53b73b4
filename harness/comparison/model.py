"""What a comparison of stored results found: all that tables and exports of it show.

Changes are those of a cost, head over base minus one: 0.02 means that the head takes 2 % more, and
where a higher value is better the quotient is turned round. None stands for "no figure".
"""

from __future__ import annotations

from typing import Literal

import msgspec

COMPARISON_SCHEMA = 1
KIND = "comparison"

Tier = Literal["timing", "counts", "memory"]
Verdict = Literal[
    "REGRESSED",  # worse by more than the margin
    "IMPROVED",  # better by more than the margin
    "EQUIVALENT",  # the interval lies within the margin
    "INCONCLUSIVE",  # none of the three: no pass, and no fail
    "BROKEN",  # base had a figure, head crashed, hung, was wrong or cannot do it
    "REPAIRED",  # the other way round
]
VERDICTS: tuple[Verdict, ...] = (
    "BROKEN",
    "REGRESSED",
    "INCONCLUSIVE",
    "IMPROVED",
    "REPAIRED",
    "EQUIVALENT",
)
FAILING: frozenset[Verdict] = frozenset({"REGRESSED", "BROKEN"})

Basis = Literal[
    "control",  # ratios to the control inside each run, so that the machine's drift cancels
    "raw",  # costs as they are, the machine's drift among them
    "paired",  # both in one run, taking turns
    "count",  # counted once on either side: no interval
    "",  # there was nothing to compare
]


class Side(msgspec.Struct, kw_only=True):
    """A result file, or one arm of it."""

    path: str
    run: str
    created: str
    arm: str = ""  # where both sides are arms of one file
    complete: bool = True
    self_check: str = ""

    @property
    def title(self) -> str:
        return f"{self.arm} in {self.run}" if self.arm else self.run


class Mismatch(msgspec.Struct, kw_only=True):
    """A circumstance that differs. One that `refuses` makes the figures incomparable."""

    what: str
    base: str
    head: str
    refuses: bool = True


class Compared(msgspec.Struct, kw_only=True):
    """One benchmark, loop and metric."""

    benchmark: str
    loop: str
    tier: Tier
    metric: str  # "cost", "instructions", ...
    unit: str
    direction: Literal["lower", "higher"] = "lower"
    measure: Literal["cpu", "wall", "value"] = "cpu"
    basis: Basis
    verdict: Verdict
    reason: str = ""
    change: float | None = None
    low: float | None = None  # its 95 % interval
    high: float | None = None
    margin: float
    superiority: float | None = None  # how likely a process of head costs more than one of base
    p: float | None = None  # two-sided, that the change lies within the margin
    base: float | None = None  # per operation: ns, the scenario's value, or a count
    head: float | None = None
    base_n: int = 0  # processes
    head_n: int = 0
    base_version: str = ""
    head_version: str = ""
    by_name: dict[str, float] = {}  # counts: the parts that changed most, head - base


class Comparison(msgspec.Struct, kw_only=True):
    """`compared`: failing ones first. `controls`: the control's own costs, which no verdict rests
    on: how much machine and Python drifted. `twins`: its copy in both runs, compared like the
    loops: identical code, so that a difference would be a false alarm."""

    base: Side
    head: Side
    margin: float  # of times, as ratios to the control or in pairs
    raw_margin: float  # of times as they are
    control: str  # the loop that ratios are taken to; "" where there is none in common
    compared: list[Compared]
    controls: list[Compared]
    twins: list[Compared]
    mismatches: list[Mismatch]
    forced: bool  # compared although a mismatch refuses it
    advisory: bool  # timing verdicts are not to be relied on
    self_check: str
    only_base: list[str]  # benchmarks and loops, one line each
    only_head: list[str]
    left_out: list[str]  # in both, and not compared, with the reason
    notes: list[str]
    method: str

    def having(self, verdict: Verdict) -> list[Compared]:
        return [one for one in self.compared if one.verdict == verdict]
