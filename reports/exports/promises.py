"""A conformance run as a Markdown table: which loop keeps which profile."""

from __future__ import annotations

from collections.abc import Sequence

from loopgauge.conformance.model import GOOD, Lane
from loopgauge.conformance.profiles import NAMES, Standing
from loopgauge.conformance.summary import LoopSummary, Summary
from loopgauge.reports.wording import DASH


def promises(summary: Summary) -> str:
    """One row per loop, those first that break fewest MUST cases; stock asyncio among them. Numbers
    are cases: how many MUST fail of how many asked, how many SHOULD pass of how many asked."""
    lanes = [lane for lane in summary.lanes if lane != "rules"]
    head = ["loop", *NAMES, "SHOULD kept", *lanes]
    rows = [_row(loop, lanes) for loop in sorted(summary.loops, key=_failing)]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)]), *map(_line, rows)]
    return "\n".join([_caption(summary), "", *lines, "", NOTE])


NOTE = (
    "A profile is *kept* if none of its MUST cases fails; otherwise the cell says how many fail, of"
    " how many. Numbers of the other lanes are tests that pass, of those that were asked; what"
    " CPython's tests ask of private attributes is not counted."
)


def _caption(summary: Summary) -> str:
    asked = max((loop.cases for loop in summary.loops), default=0)
    when = summary.created[:10]
    return f"CPython {summary.python}, {asked} questions to each loop, {when}."


def _row(loop: LoopSummary, lanes: Sequence[Lane]) -> list[str]:
    name = f"{loop.loop} {loop.version}".strip()
    if not loop.available:
        return [name, *[DASH] * (len(NAMES) + 1 + len(lanes))]
    standings = {standing.profile: standing for standing in loop.profiles}
    full = standings[NAMES[-1]]
    return [
        name,
        *(_kept(standings[profile]) for profile in NAMES),
        f"{full.should_passed} of {full.should}",
        *(_passed(loop.verdicts.get(lane, {})) for lane in lanes),
    ]


def _kept(standing: Standing) -> str:
    if not standing.must:
        return DASH
    if standing.must_failing:
        return f"{standing.must_failing} of {standing.must}"
    return "kept" if standing.state == "conforms" else standing.state


def _passed(kinds: dict[str, int]) -> str:
    judged = {kind: n for kind, n in kinds.items() if kind not in ("NOT_APPLICABLE", "INFO")}
    passed = sum(n for kind, n in judged.items() if kind in GOOD)
    return f"{passed} of {sum(judged.values())}" if judged else DASH


def _failing(loop: LoopSummary) -> tuple[bool, int, str]:
    full = next((s for s in loop.profiles if s.profile == NAMES[-1]), None)
    return not loop.available, full.must_failing if full else 0, loop.loop


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
