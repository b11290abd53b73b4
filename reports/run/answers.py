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
MOST_AREAS = 5
LONGEST_NAME = 40
NOT_ASKED = "not asked"
SURE = {
    "clear": "yes",
    "slight": "yes, slightly",
    "noise": "not beyond the noise",
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
    rest = []
    for family in families:
        words = at(family)
        if family.lead in ("clear", "slight"):
            winners.setdefault(_short(family.fastest[0]), []).append(words)
        else:
            rest.append(_unclear(family, words, reference))
    best = "waits least" if families[0].kind == "wait" else "is the fastest"
    clauses = [f"{name} {best} at {wording.listed(won)}" for name, won in winners.items()] + rest
    if len(families) == 1 and winners:
        clauses[0] += _by_how_much(families[0], reference)
    if len(clauses) > MOST_CLAUSES:
        more = len(clauses) - MOST_CLAUSES + 1
        clauses = [*clauses[: MOST_CLAUSES - 1], f"{more} more answers are in the table"]
    said = "; ".join(clauses)
    return f"At {said[3:]}." if said.startswith("at ") else f"{said}."


def at(family: FamilySummary) -> str:
    """ "timers"; of one benchmark alone its id, for it does not speak for the family."""
    alone = len(family.benchmarks) == 1
    return _short(family.benchmarks[0] if alone else wording.family(family.family))


def _short(name: str) -> str:
    return wording.shorten(name, LONGEST_NAME)


def _unclear(family: FamilySummary, words: str, reference: str) -> str:
    if family.lead == "":
        return f"at {words} no loop can be compared"
    if family.lead == "alone":
        only = _short(family.fastest[0])
        return f"at {words} only {only} has a valid figure in every benchmark"
    if family.lead == "unknown":
        return f"at {words} too few processes were measured to tell"
    if family.lead == "noise":
        return f"at {words} {_short(family.fastest[0])} leads, but not beyond the noise of this run"
    if len(family.fastest) > MOST_NAMES:
        return f"at {words} {len(family.fastest)} loops share the front"
    names = [_short(arm.arm) for arm in leaders(family)]
    return f"at {words} {wording.listed(names)} share the front"


def _by_how_much(family: FamilySummary, reference: str) -> str:
    arm = _arm(family, family.fastest[0])
    if arm.verdict == "reference" or arm.ratio is None:
        return ""
    whose = f"{reference}'s" if family.kind == "wait" else reference
    return f": {wording.times(arm.ratio.estimate, family.kind)} as {whose}"


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
        figures=[_figure(family, arm) for arm in few] or _span(family, first),
        sure=_sure(run, family),
        lead=family.lead,
        why=_why(run, family),
        aside=_aside(family),
        broken=[_cases(promises.get(arm.arm)) for arm in few],
    )


def leaders(family: FamilySummary) -> list[FamilyArm]:
    """The fastest, and whoever is not separated from it, in the order of the run file: by their
    figures they would look ranked."""
    return [arm for arm in family.arms if arm.arm in family.fastest]


def _span(family: FamilySummary, arms: Sequence[FamilyArm]) -> list[tuple[str, str]]:
    """Of too many to tell one by one."""
    found = [arm.ratio.estimate for arm in arms if arm.ratio is not None]
    if not found:
        return []
    what = "wait" if family.kind == "wait" else "cost"
    return [(f"{wording.ratio(min(found))} to {wording.ratio(max(found))} times the {what}", "")]


def _sure(run: RunSummary, family: FamilySummary) -> str:
    """Of a run that failed its self-check nothing is sure."""
    if run.advisory and family.lead in ("clear", "slight"):
        return "probably (advisory)"
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
    what = "wait" if family.kind == "wait" else "cost"
    whole = f" with all {len(family.compared)} benchmarks" if _nearer(family) else ""
    ratio = wording.interval(behind.to_fastest)
    said = f"next{whole} is {_short(behind.arm)} at {ratio} times the {what}"
    if family.lead == "slight":
        said += f", perhaps less than {run.margin:.0%}"
    if run.advisory and family.aa is not None:
        said += f"; {run.reference} against its own copy was {wording.interval(family.aa)}"
    return said


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
        f"Not ranked, for it lacks {arm.asked - arm.measured} of {arm.asked} benchmarks: "
        f"{_short(arm.arm)}, at {wording.interval(arm.to_fastest)} over the others"
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
