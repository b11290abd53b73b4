"""The first screen in words: per family who is the fastest, by how much, how sure that is, and
which promises the winner breaks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loopgauge.conformance.catalogue import areas
from loopgauge.harness.summary import ArmPromises, FamilyArm, FamilySummary, RunSummary
from loopgauge.reports import wording

MOST_CLAUSES = 4
MOST_NAMES = 3
MOST_AREAS = 2
MOST_LEADERS = 6
LATE = 3.0  # a wait this many times the best one's is told beside the cost
LONGEST_NAME = 40
NOT_ASKED = "not asked"
SURE = {
    "clear": "yes",
    "slight": "yes, slightly",
    "noise": "undecided",
    "shared": "no",
    "unknown": "not known",
    "alone": wording.DASH,
    "": wording.DASH,
}


@dataclass(frozen=True)
class Answer:
    """A row of the table: one family."""

    family: str
    words: str  # "timers"
    meaning: str  # "call_later, sleep, time limits"
    fastest: list[str]
    figures: list[
        tuple[str, str]
    ]  # of each fastest: how many times as fast, and the interval of the ratio
    sure: str  # "yes"
    lead: str
    why: str
    aside: str  # who is not ranked and yet close
    hint: str  # who of those named is cheap and late
    broken: list[str]  # of each fastest, if they are few: "6 of 1760 cases"


@dataclass(frozen=True)
class Broken:
    """What one loop breaks, by area."""

    arm: str
    share: str  # "6 of 1760 cases"
    areas: str


def compared(families: Sequence[FamilySummary]) -> Sequence[FamilySummary]:
    """All of them, if one has somebody to compare with the reference; else none."""
    found = any(
        arm.ratio is not None and arm.verdict != "reference"
        for family in families
        for arm in family.arms
    )
    return families if found else []


def headline(families: Sequence[FamilySummary], reference: str) -> str:
    """Who wins what, in one sentence; families of one kind, not empty."""
    winners: dict[str, list[str]] = {}
    others = []
    for family in families:
        if family.lead in ("clear", "slight"):
            winners.setdefault(family.fastest[0], []).append(at(family))
        else:
            others.append(family)
    best = "waits least" if families[0].kind == "wait" else "is the fastest"
    named = _Names()
    clauses = [f"{named(name)} {best} at {wording.listed(won)}" for name, won in winners.items()]
    clauses += [_unclear(family, at(family), named) for family in others]
    if len(families) == 1 and winners:
        clauses[0] += _by_how_much(families[0], reference)
    if len(clauses) > MOST_CLAUSES:
        more = len(clauses) - MOST_CLAUSES + 1
        clauses = [*clauses[: MOST_CLAUSES - 1], f"{more} more answers are in the table"]
    said = "; ".join(clauses)
    if said.startswith(("at ", "the ")):
        said = said[0].upper() + said[1:]
    return f"{said}."


class _Names:
    """Names of loops in one text. The first time the built-in loop is introduced: its name is that
    of a system call, too, and who wrote the report wrote it."""

    def __init__(self) -> None:
        self.introduced = False

    def __call__(self, name: str) -> str:
        if name.partition("@")[0] != wording.OWN or self.introduced:
            return _short(name)
        self.introduced = True
        return f"the {name} loop (loopgauge's own)"


def at(family: FamilySummary) -> str:
    """ "timers"; of one benchmark alone its id, for it does not speak for the family."""
    alone = len(family.benchmarks) == 1
    return _short(family.benchmarks[0] if alone else wording.family(family.family))


def _short(name: str) -> str:
    return wording.shorten(name, LONGEST_NAME)


def _unclear(family: FamilySummary, words: str, named: _Names) -> str:
    if family.lead == "":
        return f"at {words} no loop can be compared"
    if family.lead == "alone":
        only = named(family.fastest[0])
        return f"at {words} only {only} has a valid figure in every benchmark"
    if family.lead == "unknown":
        return f"at {words} too few processes were measured to tell"
    if family.lead == "noise":
        return f"at {words} {named(family.fastest[0])} leads, but noise leaves it undecided"
    if len(family.fastest) > MOST_NAMES:
        return f"at {words} {len(family.fastest)} loops share the front"
    names = [named(arm.arm) for arm in leaders(family)]
    return f"at {words} {wording.listed(names)} share the front"


def _by_how_much(family: FamilySummary, reference: str) -> str:
    arm = _arm(family, family.fastest[0])
    if arm.verdict == "reference" or arm.ratio is None:
        return ""
    return f": {wording.compared(arm.ratio.estimate, reference, family.kind)}"


def answers(run: RunSummary, families: Sequence[FamilySummary]) -> list[Answer]:
    promises = {each.arm: each for each in run.promises}
    return [_answer(run, family, promises) for family in families]


def _answer(run: RunSummary, family: FamilySummary, promises: dict[str, ArmPromises]) -> Answer:
    first = leaders(family)
    few = first if len(first) <= MOST_NAMES else []
    return Answer(
        family=family.family,
        words=at(family),
        meaning=wording.FAMILY_MEANING.get(family.family, "") if len(family.benchmarks) > 1 else "",
        fastest=[arm.arm for arm in first],
        figures=[_figure(family, arm) for arm in few] or _span(run, family, first),
        sure=_sure(run, family),
        lead=family.lead,
        why=_why(run, family),
        aside=_aside(family),
        hint=_hint(run, family),
        broken=[_cases(promises.get(arm.arm)) for arm in few],
    )


def leaders(family: FamilySummary) -> list[FamilyArm]:
    """The fastest, and whoever is not separated from it, in the order of the run file: by their
    figures they would look ranked."""
    return [arm for arm in family.arms if arm.arm in family.fastest]


def _span(
    run: RunSummary, family: FamilySummary, arms: Sequence[FamilyArm]
) -> list[tuple[str, str]]:
    """Of too many to tell one by one."""
    found = [arm.ratio.estimate for arm in arms if arm.ratio is not None]
    if not found:
        return []
    what = "wait" if family.kind == "wait" else "cost"
    ends = f"{wording.ratio(min(found))} to {wording.ratio(max(found))}"
    return [(f"{ends} times the {what} of {run.reference}", "")]


def _sure(run: RunSummary, family: FamilySummary) -> str:
    """Of a run that failed its self-check nothing is sure."""
    if run.advisory and family.lead in ("clear", "slight"):
        return f"{SURE[family.lead]}, but the run was noisy"
    return SURE[family.lead]


def _figure(family: FamilySummary, arm: FamilyArm) -> tuple[str, str]:
    if arm.verdict == "reference" or arm.ratio is None:
        return "the reference", ""
    return wording.times(arm.ratio.estimate, family.kind), wording.interval(arm.ratio)


def _why(run: RunSummary, family: FamilySummary) -> str:
    behind = family.runner_up
    if family.lead == "":
        return f"{run.reference} has no valid figure here, so there is nothing to compare with"
    if family.lead == "alone":
        return f"no other loop has a valid figure in all {len(family.compared)} benchmarks"
    if family.lead == "unknown":
        return "too few processes for an interval"
    if family.lead == "shared" or behind is None:
        names = f"these {len(family.fastest)}" if len(family.fastest) > MOST_NAMES else "they"
        return f"{names} are not separated from each other"
    whole = f" of those with all {len(family.compared)} benchmarks" if _nearer(family) else ""
    said = f"{_short(behind.arm)}, next{whole}, {_measured_by(family, behind)}"
    if family.lead == "slight":
        said += f", perhaps less than {run.margin:.0%} more"
    if family.lead == "noise" and behind.to_fastest is not None:
        lead = wording.percents(behind.to_fastest.low, behind.to_fastest.high).replace("+", "")
        known = math.isfinite(family.noise)
        noise = f"up to {(family.noise - 1) * 100:.0f} %" if known else "of unknown size"
        return f"{said}: a lead of {lead}, noise {noise}"
    if run.advisory and family.aa is not None and wording.has_interval(family.aa):
        off = wording.percents(family.aa.low, family.aa.high)
        said += f"; noise: {run.reference} measured twice differed by {off}"
    return said


def _measured_by(family: FamilySummary, arm: FamilyArm) -> str:
    """ "costs 1.57x [1.50, 1.64] what epoll costs": one loop by the best of the others."""
    best, ratio = _short(family.fastest[0]), wording.multiple(arm.to_fastest)
    return (
        f"waits {ratio} as long as {best}"
        if family.kind == "wait"
        else (f"costs {ratio} what {best} costs")
    )


def _nearer(family: FamilySummary) -> list[FamilyArm]:
    """Those with gaps, who are ranked nowhere, that come closer to the first where both were
    measured than the next does; the closest first."""
    behind = family.runner_up
    reach = behind.to_fastest.estimate if behind and behind.to_fastest else math.inf
    near = [
        (arm.to_fastest.estimate, arm)
        for arm in family.arms
        if not arm.complete and arm.to_fastest is not None and arm.to_fastest.estimate < reach
    ]
    return [arm for _, arm in sorted(near, key=lambda entry: entry[0])]


def _aside(family: FamilySummary) -> str:
    """The closest of those, if it has most of the benchmarks."""
    near = [arm for arm in _nearer(family) if 2 * arm.measured > arm.asked]
    if not near or not family.fastest:
        return ""
    arm = near[0]
    return (
        f"{_short(arm.arm)} is not ranked, with results in {arm.measured} of {arm.asked}; "
        f"on those it {_measured_by(family, arm)}"
    )


def _hint(run: RunSummary, family: FamilySummary) -> str:
    """A cheap timer may be a late one: of those named beside a cost, who waits longest."""
    waits = next((one for one in run.waits if one.family == family.family), None)
    if family.kind != "cost" or waits is None or not waits.fastest:
        return ""
    behind = family.runner_up
    named = {*family.fastest, *([behind.arm] if behind is not None else [])}
    late = [
        (arm.to_fastest.estimate, arm)
        for arm in waits.arms
        if arm.arm in named
        and arm.complete
        and arm.to_fastest is not None
        and arm.to_fastest.low > LATE
    ]
    if not late:
        return ""
    _, arm = max(late, key=lambda entry: entry[0])
    least, best = arm.to_fastest.estimate if arm.to_fastest else math.nan, waits.fastest[0]
    return (
        f"{_short(arm.arm)} waits {wording.number(least)}{wording.TIMES} as long as {_short(best)}"
    )


def share(found: ArmPromises | None) -> str:
    """Of its MUST cases."""
    if found is None or not found.known or not found.must:
        return NOT_ASKED
    return f"{found.must_failing} of {found.must}"


def _cases(found: ArmPromises | None) -> str:
    words = share(found)
    return f"{words} cases" if words != NOT_ASKED else words


def broken(run: RunSummary) -> list[Broken]:
    """Of every loop that was asked, in the order of the run file."""
    return [
        Broken(each.arm, _cases(each), _areas(each))
        for each in run.promises
        if each.known and each.must
    ]


def leading(run: RunSummary, families: Sequence[FamilySummary]) -> list[Broken]:
    """What those break who are in front anywhere, and what stock asyncio does; the first few."""
    names = {name for family in families for name in family.undecided}
    names.add(run.reference)
    return [each for each in broken(run) if each.arm in names][:MOST_LEADERS]


def not_asked(run: RunSummary) -> list[str]:
    """Loops that were measured, and of whose build and Python no verdict is known."""
    there = {arm.label for arm in run.header.arms if arm.available}
    return [each.arm for each in run.promises if not each.known and each.arm in there]


def _areas(found: ArmPromises) -> str:
    """ "TLS transports 12, Signals 3, 4 more areas", the most first."""
    if not found.broken:
        return "none"
    known = areas()
    counts: Counter[str] = Counter()
    for case in found.broken:
        area = case.rule.partition("-")[0]
        title = known[area].title if area in known else area
        counts[title.partition(":")[0].partition(" (")[0]] += 1
    said = [f"{title} {count}" for title, count in counts.most_common(MOST_AREAS)]
    if len(counts) > MOST_AREAS:
        left = len(counts) - MOST_AREAS
        said.append(f"{left} more area{'s' * (left != 1)}")
    return ", ".join(said)


def _arm(family: FamilySummary, name: str) -> FamilyArm:
    return next(arm for arm in family.arms if arm.arm == name)
