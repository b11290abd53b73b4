"""What to do next about a loop, in the order of what it brings: for authors, not for judges.

A loop that lacks much fails most cases for few reasons: a case that calls a method which is not
there says nothing about its rule. So cases are counted by what stopped them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from loopgauge.conformance.model import FAILING, Verdict

#: What an error of asyncio's own says about a loop that is not finished yet: (words, what to do).
KNOWN_ERRORS: tuple[tuple[str, str], ...] = (
    (
        "no running event loop",
        "make the loop known while it runs: asyncio._set_running_loop(self), and None afterwards",
    ),
    (
        "no current event loop",
        "make the loop known while it runs: asyncio._set_running_loop(self), and None afterwards",
    ),
)


class Step(msgspec.Struct, kw_only=True):
    """One thing to do. kind: "implement" a method (`name`), "finish" what all cases stumble over,
    or "repair" the behaviour that the rule `name` is about. `must`, `should`: cases that wait."""

    kind: Literal["implement", "finish", "repair"]
    name: str
    what: str
    must: int = 0
    should: int = 0
    first: str = ""  # a case to begin with


def next_steps(verdicts: Iterable[Verdict]) -> list[Step]:
    """Of one loop in the rules lane; what stops most MUST cases comes first."""
    steps: dict[tuple[str, str], Step] = {}
    for verdict in verdicts:
        if verdict.lane == "rules" and verdict.verdict in FAILING:
            fresh = _step(verdict)
            step = steps.setdefault((fresh.kind, fresh.name), fresh)
            step.must += verdict.level == "MUST"
            step.should += verdict.level == "SHOULD"
    return sorted(steps.values(), key=lambda step: (-step.must, -step.should, step.name))


def _step(verdict: Verdict) -> Step:
    missing = verdict.evidence.missing
    if missing:
        return Step(kind="implement", name=missing, what=f"{missing}()", first=verdict.case)
    for words, what in KNOWN_ERRORS:
        if words in verdict.reason:
            return Step(kind="finish", name=words, what=what, first=verdict.case)
    return Step(
        kind="repair",
        name=verdict.rule,
        what=f"{verdict.verdict}: {verdict.reason}",
        first=verdict.case,
    )
