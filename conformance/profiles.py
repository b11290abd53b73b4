"""Profiles: which part of asyncio a loop keeps, told by the cases that were asked.

"Conforms to profile P on Python 3.x" means that no MUST case of P fails, known fault or not. SHOULD
is a second number. There is no third that mixes the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from loopgauge.conformance.catalogue import PROFILES
from loopgauge.conformance.model import FAILING, Verdict

FULL = "Full"
NAMES: tuple[str, ...] = (*PROFILES, FULL)

State = Literal[
    "conforms",
    "fails",  # some MUST case does
    "not decided",  # no case fails, but some have no verdict: HARNESS, or never asked
    "not asked",  # no MUST case of the profile was
]


class Standing(msgspec.Struct, kw_only=True):
    """How a loop does in one profile. `must` and `should` count the cases that bind on this Python
    and have a verdict about the loop; `must_failing` includes `must_unimplemented`."""

    profile: str
    state: State
    must: int = 0
    must_failing: int = 0
    must_unimplemented: int = 0
    should: int = 0
    should_passed: int = 0
    harness: int = 0  # MUST cases that stock asyncio fails in an unknown way
    failing_rules: list[str] = []  # the MUST rules of the failing cases


def standings(verdicts: Iterable[Verdict], *, whole: bool) -> list[Standing]:
    """Of one loop on one Python, in the order of NAMES. `whole`: everything was asked; from a part
    or from an interrupted run nobody conforms. Other lanes than the rules do not count."""
    ruled = [v for v in verdicts if v.lane == "rules" and v.verdict != "NOT_APPLICABLE"]
    return [
        _standing(name, [v for v in ruled if name in (v.profile, FULL)], whole=whole)
        for name in NAMES
    ]


def _standing(profile: str, verdicts: Sequence[Verdict], *, whole: bool) -> Standing:
    told = [v for v in verdicts if v.verdict != "HARNESS"]
    must = [v for v in told if v.level == "MUST"]
    should = [v for v in told if v.level == "SHOULD"]
    failing = [v for v in must if v.verdict in FAILING]
    harness = sum(v.level == "MUST" for v in verdicts) - len(must)
    return Standing(
        profile=profile,
        state=_state(len(must), len(failing), decided=whole and not harness),
        must=len(must),
        must_failing=len(failing),
        must_unimplemented=sum(v.verdict == "UNIMPLEMENTED" for v in failing),
        should=len(should),
        should_passed=sum(v.verdict not in FAILING for v in should),
        harness=harness,
        failing_rules=[*dict.fromkeys(v.rule for v in failing)],
    )


def _state(must: int, failing: int, *, decided: bool) -> State:
    if failing:
        return "fails"
    if not must:
        return "not asked"
    return "conforms" if decided else "not decided"
