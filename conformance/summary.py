"""A run in numbers: what the terminal, the JSON summary, the badge and the pages all say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from loopgauge.conformance import profiles
from loopgauge.conformance.model import Header, Lane, Status, Verdict
from loopgauge.conformance.profiles import Standing
from loopgauge.conformance.store import Results


class Notable(msgspec.Struct, kw_only=True):
    """A verdict that the expectation file does not explain."""

    case: str
    lane: Lane
    level: str
    verdict: str
    status: Status
    reason: str


class LoopSummary(msgspec.Struct, kw_only=True):
    """One loop of a run; `reason` says why one is not available."""

    loop: str
    factory: str
    version: str = ""
    available: bool = True
    reason: str = ""
    profiles: list[Standing] = []
    verdicts: dict[Lane, dict[str, int]] = {}  # by lane and kind
    unexpected: list[Notable] = []
    fixed: list[Notable] = []
    duration_s: float | None = None

    @property
    def cases(self) -> int:
        return sum(sum(kinds.values()) for kinds in self.verdicts.values())


class Summary(msgspec.Struct, kw_only=True):
    """`whole`: every rule was asked, and the run came to its end."""

    schema: int = 1
    kind: str = "conformance-summary"
    result: str = ""
    python: str = ""
    suite: str = ""
    created: str = ""
    complete: bool = True
    whole: bool = True
    selection: list[str] = []
    lanes: list[Lane] = []
    left_out: list[str] = []  # lanes, and why
    loops: list[LoopSummary] = []
    exit_code: int | None = None


def summarise(results: Results) -> Summary:
    """Nothing here is an estimate: it counts verdicts."""
    header = results.header
    complete = results.end is not None and results.end.complete
    whole = complete and not header.selection and "rules" in header.lanes
    durations = results.end.duration_s if results.end else {}
    found = Summary(
        result=str(results.path),
        python=header.python,
        suite=header.suite,
        created=header.created,
        complete=complete,
        whole=whole,
        selection=header.selection,
        lanes=header.lanes,
    )
    for loop in loops_of(header, results.verdicts):
        made = _loop(loop, header, results.of(loop), whole=whole)
        made.duration_s = durations.get(loop)
        found.loops.append(made)
    return found


def loops_of(header: Header, verdicts: Sequence[Verdict]) -> list[str]:
    """In the order in which they were asked, and whoever the header does not name after them."""
    named = [subject.loop for subject in header.subjects]
    return [*dict.fromkeys([*named, *(verdict.loop for verdict in verdicts)])]


def _loop(loop: str, header: Header, verdicts: list[Verdict], *, whole: bool) -> LoopSummary:
    subject = next((one for one in header.subjects if one.loop == loop), None)
    counts: dict[Lane, Counter[str]] = {}
    for verdict in verdicts:
        counts.setdefault(verdict.lane, Counter())[verdict.verdict] += 1
    return LoopSummary(
        loop=loop,
        factory=subject.factory if subject else verdicts[0].factory,
        version=subject.version if subject else verdicts[0].version,
        available=subject.available if subject else True,
        reason=subject.reason if subject else "",
        profiles=profiles.standings(verdicts, whole=whole),
        verdicts={lane: dict(count.most_common()) for lane, count in counts.items()},
        unexpected=[_notable(v) for v in verdicts if v.status == "unexpected"],
        fixed=[_notable(v) for v in verdicts if v.status == "fixed"],
    )


def _notable(verdict: Verdict) -> Notable:
    reason = verdict.reason
    if verdict.status == "fixed":
        reason = f"a known fault is gone: {verdict.expectation}" if verdict.expectation else reason
    return Notable(
        case=verdict.case,
        lane=verdict.lane,
        level=verdict.level,
        verdict=verdict.verdict,
        status=verdict.status,
        reason=" ".join(reason.split()),
    )
