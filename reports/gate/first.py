"""The first screen of a gate's page: the verdict, what changed, how sure, what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loopgauge.harness.gate.evidence import Evidence
from loopgauge.harness.gate.model import FAILING, Decision, GateResult, Tier
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import facts
from loopgauge.reports.gate import words
from loopgauge.reports.gate.looking import Look, looks

SHOWN = 8  # decisions in the first table; all are below
MORE: dict[Tier, str] = {
    "timing": "takes {} time",
    "instructions": "needs {} instructions",
    "syscalls": "makes {} system calls",
    "allocations": "makes {} allocations",
}


@dataclass(frozen=True)
class First:
    """`state` is "bad", "good" or "open": the colour of the verdict, which words say, too."""

    state: str
    word: str
    headline: str
    tally: str
    sides: str
    facts: facts.Facts
    changed: list[Decision]
    hidden: int  # changes that the table has no room for
    figures: bool  # whether any of those in the table has one: a promise has none
    intervals: bool  # what is counted has none
    sure: list[str]
    looks: list[Look]
    left_out: list[str]
    notes: list[str]


def first_of(
    gate: GateFile, evidence: Evidence, *, drawn: bool = False, unreadable: Sequence[str] = ()
) -> First:
    """`drawn`: a plot beside it shows the times; `unreadable`: files of which less is shown than
    there should be."""
    result = gate.result
    assert result is not None
    told = [
        one
        for one in words.by_weight(result.decisions)
        if one.verdict != "EQUIVALENT" and not (drawn and one.tier == "timing")
    ]
    return First(
        state=state(gate, result),
        word=words.headline(gate).partition(":")[0] if words.ended(gate) else "unfinished",
        headline=headline(gate, result),
        tally=words.tally(result.decisions),
        sides=sides(gate),
        facts=short(gate, result),
        changed=told[:SHOWN],
        hidden=max(0, len(told) - SHOWN),
        figures=any(one.tier != "promises" for one in told[:SHOWN]),
        intervals=any(one.low is not None for one in told[:SHOWN]),
        sure=[*sure(gate, result, evidence)],
        looks=looks(gate, evidence),
        left_out=[words.one_line(line) for line in result.left_out],
        notes=[words.one_line(line) for line in [*result.notes, *evidence.missing, *unreadable]],
    )


def state(gate: GateFile, result: GateResult) -> str:
    if words.ended(gate):
        return {0: "good", 1: "bad", 4: "bad", 5: "bad"}.get(result.exit_code, "open")
    return "open"


def headline(gate: GateFile, result: GateResult) -> str:
    """One sentence: the worst that was found, or that nothing was."""
    worst = next((one for one in words.by_weight(result.decisions) if one.verdict in FAILING), None)
    if not words.ended(gate):
        return "The gate did not come to an end" + (f"; so far: {of(worst)}" if worst else "")
    if result.exit_code == words.NOTHING_COMPARED:
        return "Nothing was compared"
    promises = [
        one for one in result.decisions if one.tier == "promises" and one.verdict in FAILING
    ]
    if promises:
        many = f"{len(promises)} promises that base keeps" if len(promises) > 1 else ""
        return f"Head breaks {many or f'a promise that base keeps: {promises[0].subject}'}"
    if worst is not None:
        failing = [one for one in result.decisions if one.verdict in FAILING]
        where = f" in {len(failing)} of {len(result.decisions)} comparisons" * (len(failing) > 1)
        return f"Head is worse{where}: {of(heaviest(failing))}"
    undecided = [one for one in result.decisions if one.verdict == "INCONCLUSIVE"]
    if undecided:
        return f"Not decided: {len(undecided)} of {len(result.decisions)} comparisons are open"
    if result.left_out:
        return "Nothing is worse, but something was left out"
    better = [one for one in result.decisions if one.verdict in ("IMPROVED", "REPAIRED")]
    if better:
        many = f"{len(better)} of {len(result.decisions)} comparisons"
        return f"Head is no worse, and better in {many}"
    return "Head is no worse than base"


def heaviest(decisions: Sequence[Decision]) -> Decision:
    """What is broken, then time, which is what counts are counted for."""
    return min(
        decisions,
        key=lambda one: (one.verdict != "BROKEN", one.tier != "timing", -abs(one.change or 0.0)),
    )


def of(one: Decision) -> str:
    """'throughput.sleep0 takes 7.5 % more time'."""
    if one.change is None or one.tier not in MORE:
        return f"{words.one_line(one.subject, 80)} is {one.verdict}"
    much = words.percent(abs(one.change), one.tier).lstrip("+")
    figure = MORE[one.tier].format(f"{much} {'more' if one.change > 0 else 'less'}")
    return f"{words.one_line(one.subject, 80)} {figure}"


def sides(gate: GateFile) -> str:
    base, head = gate.header.base, gate.header.head
    return f"head {words.one_line(head.title, 90)}, against base {words.one_line(base.title, 90)}"


def short(gate: GateFile, result: GateResult) -> facts.Facts:
    header = gate.header
    loops = dict.fromkeys(words.one_line(side.loop, 90) for side in (header.base, header.head))
    versions = dict.fromkeys(side.version for side in (header.base, header.head) if side.version)
    found = [
        ("loop", " → ".join(loops) + (f" ({' → '.join(versions)})" if versions else "")),
        ("machine", facts.machine(header.environment)),
        ("Python", "; ".join(dict.fromkeys(facts.pythons(header.environment).split("; ")))),
        ("when", facts.moment(header.created)),
        ("took", f"{result.wall_s / 60:.1f} min" if result.wall_s else ""),
    ]
    return [(label, value) for label, value in found if value]


def sure(gate: GateFile, result: GateResult, evidence: Evidence) -> Iterable[str]:
    """What stands behind the verdicts, a sentence a tier."""
    promises = [
        one for one in result.decisions if one.tier == "promises" and one.verdict in FAILING
    ]
    if promises:
        yield (
            "Promises: every case that differs was asked again, three times on each side; what is "
            "BROKEN failed on head and passed on base each time."
        )
    counted = [one for one in result.decisions if one.tier in words.COUNTED]
    if any(one.stage > 1 for one in counted):
        yield "Counts: do not depend on how busy the machine is; made twice where they differ."
    elif counted:
        yield "Counts: do not depend on how busy the machine is; none is beyond its margin."
    timed = [one for one in result.decisions if one.tier == "timing" and one.processes]
    if timed:
        yield _timing(timed, evidence)
    if result.self_check:
        calm = "advisory: no time is called worse or better. " if result.advisory else ""
        yield f"The machine: {calm}{words.one_line(result.self_check)}."


def _timing(timed: Sequence[Decision], evidence: Evidence) -> str:
    confirmed = [one for one in timed if one.stage > 1]
    fewest = min(one.processes for one in timed)
    most = max(one.processes for one in timed)
    many = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    said = f"Time: {many} fresh processes a side, taking turns in slots of milliseconds; "
    firsts = [one.first for one in evidence.timed if one.first is not None]
    if not confirmed and any(one.call in ("worse", "better") for one in firsts):
        return said + "what was flagged was not measured again, and is not called changed."
    if not confirmed:
        return said + "nothing was flagged, so no second stage was needed."
    return said + (
        f"{len(confirmed)} flagged and judged again on fresh samples alone. Had nothing changed, "
        "any of them would be called changed in at most 5 % of such gates."
    )
