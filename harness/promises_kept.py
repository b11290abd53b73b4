"""Which promises of asyncio each loop of a run was seen to break, beside how fast it is.

The numbers are those of the suite's own pages (conformance/profiles.py): cases of rules that bind
on this Python and have a verdict about the loop; what is not implemented fails, too.
"""

from __future__ import annotations

import msgspec

from loopgauge.harness.model import Header
from loopgauge.harness.verdicts import FAILING, SAYS_NOTHING, Verdict, Verdicts

LINES = 5  # of evidence
WIDTH = 240  # characters of one


class BrokenCase(msgspec.Struct, kw_only=True):
    """A case that a loop fails."""

    case: str  # "TIME-007.early"
    rule: str
    level: str
    verdict: str  # FAIL, HANG, ...
    reason: str = ""
    description: str = ""
    lines: list[str] = []  # evidence, short: "delay: wanted >= 0.01, observed 0.0091"


class ArmPromises(msgspec.Struct, kw_only=True):
    """`known`: False where conformance was not run for this build on this Python."""

    arm: str
    known: bool
    must: int = 0  # cases
    must_failing: int = 0
    should: int = 0
    should_failing: int = 0
    broken: list[BrokenCase] = []  # MUST cases that fail, in the order of cases


def promises_of(header: Header, verdicts: Verdicts) -> list[ArmPromises]:
    """Of candidates and reference, in the order of the run file."""
    found = []
    for arm in header.arms:
        if arm.role in ("candidate", "reference"):
            told = verdicts.of(arm, header.environment.interpreters[arm.python])
            found.append(_promises(arm.label, told))
    return found


def _promises(label: str, verdicts: list[Verdict]) -> ArmPromises:
    ruled = [v for v in verdicts if v.lane == "rules" and v.verdict not in SAYS_NOTHING]
    must = [v for v in ruled if v.level == "MUST"]
    should = [v for v in ruled if v.level == "SHOULD"]
    failing = [v for v in must if v.verdict in FAILING]
    return ArmPromises(
        arm=label,
        known=bool(verdicts),
        must=len(must),
        must_failing=len(failing),
        should=len(should),
        should_failing=sum(v.verdict in FAILING for v in should),
        broken=[_case(v) for v in failing],
    )


def _case(verdict: Verdict) -> BrokenCase:
    return BrokenCase(
        case=verdict.case,
        rule=verdict.rule,
        level=verdict.level,
        verdict=verdict.verdict,
        reason=verdict.reason,
        description=verdict.description,
        lines=[_short(line) for line in evidence_lines(verdict)[:LINES]],
    )


def evidence_lines(verdict: Verdict) -> list[str]:
    """What was seen that should not have been; empty where the reason says it all."""
    seen = verdict.evidence
    lines = []
    for what, wanted, observed in seen.observations[-1:]:  # a case ends with its first mismatch
        if verdict.reason.startswith(what):
            lines.append(f"{what}: wanted {wanted}, observed {observed}")
    lines += [f"left behind: {line}" for line in seen.resources]
    lines += [f"missing: {seen.missing}"] if seen.missing else []
    if not lines and seen.traceback.strip():
        lines.append(f"raised {seen.traceback.strip().splitlines()[-1].strip()}")
    return lines


def _short(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= WIDTH else words[: WIDTH - 1] + "…"
