"""What changed between two runs, regressions first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loopgauge.conformance.model import FAILING, GOOD, Verdict
from loopgauge.conformance.store import Results

Way = Literal["regression", "repaired", "changed", "added", "removed"]
WAYS: dict[Way, str] = {
    "regression": "conformed, and fails now",
    "repaired": "failed, and conforms now",
    "changed": "another verdict, neither better nor worse",
    "added": "asked now only",
    "removed": "asked before only",
}


@dataclass(frozen=True)
class Change:
    """One case on one loop. `before` and `after` are None where it was not asked."""

    way: Way
    loop: str
    case: str
    level: str
    before: Verdict | None
    after: Verdict | None

    @property
    def reason(self) -> str:
        shown = self.before if self.way in ("repaired", "removed") else self.after
        return shown.reason if shown else ""


@dataclass
class Difference:
    """Loops are compared by name, so that two versions of one can be; `same` counts the verdicts
    that both runs agree on."""

    old: Results
    new: Results
    changes: list[Change]
    same: int

    def of(self, way: Way) -> list[Change]:
        return [change for change in self.changes if change.way == way]


def compare(old: Results, new: Results) -> Difference:
    """Regressions come first, MUST before the others."""
    before, after = _by_name(old), _by_name(new)
    changes = []
    for key in dict.fromkeys([*after, *before]):
        change = _change(before.get(key), after.get(key))
        if change is not None:
            changes.append(change)
    ways = [*WAYS]
    changes.sort(key=lambda one: (ways.index(one.way), one.level != "MUST", one.loop, one.case))
    same = len(before.keys() & after.keys()) - sum(
        one.before is not None and one.after is not None for one in changes
    )
    return Difference(old=old, new=new, changes=changes, same=same)


def _by_name(results: Results) -> dict[tuple[str, str], Verdict]:
    return {(verdict.loop, verdict.case): verdict for verdict in results.verdicts}


def _change(before: Verdict | None, after: Verdict | None) -> Change | None:
    shown = after or before
    assert shown is not None
    way = _way(before, after)
    if way is None:
        return None
    return Change(
        way=way, loop=shown.loop, case=shown.case, level=shown.level, before=before, after=after
    )


def _way(before: Verdict | None, after: Verdict | None) -> Way | None:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    if before.verdict == after.verdict:
        return None
    if before.verdict in GOOD and after.verdict in FAILING:
        return "regression"
    if before.verdict in FAILING and after.verdict in GOOD - {"NOT_APPLICABLE"}:
        return "repaired"
    return "changed"
