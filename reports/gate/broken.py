"""The promises on which the sides differ, on a gate's page: what was wanted, and what was seen.

The evidence is that of the suite's result files in the gate's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loopgauge.conformance.model import Verdict
from loopgauge.conformance.store import UnreadableResult, read
from loopgauge.harness.gate.model import Decision
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import wording
from loopgauge.reports.conformance.texts import printable, without_runner
from loopgauge.reports.gate import words
from loopgauge.reports.gate.looking import repro

MOST = 30  # cases with their evidence; a head that breaks more is broken without them
LINES = 40  # of a traceback, the last ones
FILES = ("promises-{}.jsonl", "promises-{}-again.jsonl")


@dataclass(frozen=True)
class Side:
    """What one side did, and each time it was asked again."""

    name: str
    verdict: str
    again: str
    observations: list[tuple[str, str, str]]
    text: str  # traceback, stack, logs


@dataclass(frozen=True)
class Case:
    anchor: str
    decision: Decision
    rule: str
    level: str
    description: str
    expected: str
    sides: list[Side]
    command: str


@dataclass
class Promises:
    cases: list[Case] = field(default_factory=list)
    more: int = 0
    missing: list[str] = field(default_factory=list)


def promises_of(gate: GateFile) -> Promises:
    result = gate.result
    found = Promises()
    told = [one for one in result.decisions if one.tier == "promises"] if result else []
    if not told:
        return found
    first, again = (
        {
            side: verdicts(gate.folder / name.format(side), found.missing)
            for side in ("base", "head")
        }
        for name in FILES
    )
    anchors = words.anchors("case", [one.subject for one in told[:MOST]])
    found.cases = [
        case(anchor, one, first, again, gate) for anchor, one in zip(anchors, told, strict=False)
    ]
    found.more = max(0, len(told) - MOST)
    return found


def verdicts(path: Path, missing: list[str]) -> Mapping[str, Verdict]:
    """By case, of the loop that was asked about: the last one of the file."""
    if not path.is_file():
        return {}
    try:
        found = read(path).verdicts
    except UnreadableResult as error:
        missing.append(error.cause)
        return {}
    return {one.case: one for one in found if one.loop == found[-1].loop}


def case(
    anchor: str,
    decision: Decision,
    first: Mapping[str, Mapping[str, Verdict]],
    again: Mapping[str, Mapping[str, Verdict]],
    gate: GateFile,
) -> Case:
    name = decision.subject
    known = first["head"].get(name) or first["base"].get(name)
    return Case(
        anchor=anchor,
        decision=decision,
        rule=known.rule if known else "",
        level=known.level if known else "",
        description=printable(known.description) if known else "",
        expected=printable(known.expected_behaviour) if known else "",
        sides=[
            side(which, first[which][name], again[which].get(name))
            for which in ("base", "head")
            if name in first[which]
        ],
        command=repro(name, gate),
    )


def side(name: str, verdict: Verdict, again: Verdict | None) -> Side:
    evidence = verdict.evidence
    text = evidence.traceback or evidence.stack or "\n".join(evidence.resources or evidence.logs)
    lines = without_runner(printable(text)).strip().splitlines()
    return Side(
        name=name,
        verdict=verdict.verdict,
        again=counted(again) if again else "",
        observations=[
            (words.one_line(what), words.one_line(wanted), words.one_line(observed))
            for what, wanted, observed in evidence.observations
            if wanted != observed
        ][:12],
        text="\n".join(lines[-LINES:]),
    )


def counted(verdict: Verdict) -> str:
    tries = verdict.tries or {verdict.verdict: 1}
    return ", ".join(f"{times} {wording.TIMES} {kind}" for kind, times in tries.items())
