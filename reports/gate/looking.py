"""What somebody who has to cure a change should look at first."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loopgauge.harness.explained import Anatomy
from loopgauge.harness.gate.evidence import Evidence, Explained, Part
from loopgauge.harness.gate.model import FAILING, Decision
from loopgauge.harness.gate.store import GateFile
from loopgauge.reports import wording
from loopgauge.reports.gate import words

CASES = 3  # scripts that are named
BENCHMARKS = 3
PARTS = 3  # functions or system calls of each
LEAST = 0.01  # of the largest of them: less is the rounding of a count
SCRIPT = "prints a script that shows it"
CHANGED = FAILING | {"EXPECTED", "IMPROVED"}


@dataclass(frozen=True)
class Look:
    """`subject` is a benchmark id or a case; `command` shows more, where there is one, and `does`
    says what."""

    subject: str
    text: str
    command: str = ""
    does: str = ""


def looks(gate: GateFile, evidence: Evidence) -> list[Look]:
    """The most important one first."""
    result = gate.result
    if result is None:
        return []
    weighed = words.by_weight(result.decisions)
    found = [*_cases(gate, weighed)]
    explained = {one.explanation.benchmark.id: one for one in evidence.explained}
    changed = [one for one in weighed if one.tier != "promises" and one.verdict in CHANGED]
    uncounted = []
    for name in [*dict.fromkeys(one.subject for one in changed)][:BENCHMARKS]:
        own = [one for one in changed if one.subject == name]
        if told := [*_told(own, explained.get(name))]:
            found.append(Look(name, "; ".join(told)))
        else:
            uncounted.append(own[0])
    if uncounted:
        found.append(_uncounted(uncounted, gate))
    if open_ones := [one for one in weighed if one.verdict == "INCONCLUSIVE"]:
        found.append(_undecided(open_ones))
    return found


def _cases(gate: GateFile, weighed: Sequence[Decision]) -> Iterable[Look]:
    broken = [one for one in weighed if one.tier == "promises" and one.verdict in FAILING]
    for one in broken[:CASES]:
        yield Look(one.subject, words.one_line(one.reason), repro(one.subject, gate), SCRIPT)


def repro(case: str, gate: GateFile) -> str:
    """Fit to be pasted into a shell."""
    return words.one_line(f"bench repro {shlex.quote(case)} --loop {loop_of(gate)}")


def loop_of(gate: GateFile) -> str:
    return shlex.quote(gate.header.head.loop)


def _told(own: Sequence[Decision], explained: Explained | None) -> Iterable[str]:
    """Where the time went, the functions, the system calls and the bytecodes that grew."""
    if explained is not None:
        yield from _parts(own, explained)
    counts = {one.tier: one for one in own if one.by_name}
    if explained is not None and explained.functions:
        yield f"instructions: {_named(explained.functions)}"
    elif "instructions" in counts:
        yield f"instructions: {_of(counts['instructions'])}"
    if explained is not None and explained.python_functions:
        yield f"bytecodes: {_named(explained.python_functions)}"
    for tier in ("syscalls", "allocations"):
        if tier in counts:
            yield f"{words.SHORT_TIERS[tier]}: {_of(counts[tier])}"


def _uncounted(found: Sequence[Decision], gate: GateFile) -> Look:
    """Loops that live in one Python can be explained from here; other builds only by a gate."""
    first = found[0]
    told = words.one_line(first.reason) or "nothing was counted that could say why"
    base, head = gate.header.base, gate.header.head
    if first.verdict == "BROKEN" or {base.origin, head.origin} != {"factory"}:
        return Look(first.subject, told)
    loops = f"--loop {shlex.quote(base.loop)} --loop {loop_of(gate)}"
    command = words.one_line(f"bench explain {shlex.quote(first.subject)} {loops}")
    return Look(first.subject, told, command, "shows where the time goes on both")


def _parts(own: Sequence[Decision], explained: Explained) -> Iterable[str]:
    """Nothing where the times say the contrary of what was decided: they are those of one process a
    side, which on a busy machine differ by more than the change."""
    base, head = explained.explanation.loops
    whole = cpu(head) - cpu(base)
    change = {part: head.parts_ns[part] - ns for part, ns in base.parts_ns.items()
              if part in head.parts_ns and (head.parts_ns[part] - ns) * whole > 0}  # fmt: skip
    better = own[0].verdict == "IMPROVED"
    if change and (whole < 0) == better:
        part = max(change, key=lambda part: abs(change[part]))
        yield (
            f"CPU time: most of the difference is in {part}"
            f" ({signed_time(change[part])}; {signed_time(whole)} in all)"
        )


def cpu(side: Anatomy) -> float:
    return sum(side.parts_ns.values())


def signed_time(ns: float) -> str:
    return ("+" if ns > 0 else "-" if ns < 0 else "") + wording.duration(abs(ns))


def _named(parts: Sequence[Part]) -> str:
    return _largest((part.name, part.change) for part in parts)


def _of(decision: Decision) -> str:
    return _largest(decision.by_name.items())


def _largest(changes: Iterable[tuple[str, float]]) -> str:
    parts = sorted(changes, key=lambda part: -abs(part[1]))[:PARTS]
    return ", ".join(
        f"{words.one_line(name, 80)} {words.signed(change)}"
        for name, change in parts
        if change and abs(change) >= LEAST * abs(parts[0][1])
    )


def _undecided(open_ones: Sequence[Decision]) -> Look:
    names = [*dict.fromkeys(one.subject for one in open_ones)]
    more = f", and {len(names) - 1} more" if len(names) > 1 else ""
    reason = words.one_line(open_ones[0].reason)
    return Look(names[0], f"neither a pass nor a fail{more}{f': {reason}' if reason else ''}")
