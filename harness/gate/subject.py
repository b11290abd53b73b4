"""Base and head as the arms of a run: two loops in shared processes, or each on its own Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from loopgauge.harness import environment, subject
from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate.model import Side
from loopgauge.harness.model import Arm, Environment
from loopgauge.harness.subject import Python, Subject

BASE, HEAD, TWIN = "base", "head", "base~aa"


def build(base: Side, head: Side, benchmarks: Sequence[tuple[str, Mapping[str, Any]]]) -> Subject:
    """Base is the reference, and its twin the self-check. Raises NothingToMeasure where a side's
    loop cannot be made, and InterpreterUnusable."""
    shared = (base.executable, base.path) == (head.executable, head.path)
    on_base = ask(base, [base.loop, head.loop] if shared else [base.loop], "" if shared else BASE)
    on_head = on_base if shared else ask(head, [head.loop], HEAD)
    arms = [
        arm_of(base, on_base, BASE, "reference"),
        arm_of(head, on_head, HEAD, "candidate"),
        arm_of(base, on_base, TWIN, "aa"),
    ]
    for arm in arms[:2]:
        if not arm.available:
            raise NothingToMeasure(
                f"{arm.label} has no loop {arm.loop!r}: {arm.reason}",
                "Is it named right, and installed there?",
            )
    described = [subject.describe(scenario, params) for scenario, params in benchmarks]
    if not shared:
        described = [msgspec.structs.replace(one, design="process") for one in described]
    return Subject(
        arms=arms,
        # The bare floor and native loops are no part of the question.
        benchmarks=[msgspec.structs.replace(b, floor=False, native=False) for b in described],
        environment=Environment(
            machine=environment.machine(),
            interpreters={one.key: one.interpreter for one in (on_base, on_head)},
            variables=environment.relevant_variables(),
            load=environment.load(),
        ),
        design=None if shared else "process",
    )


def ask(side: Side, loops: Sequence[str], whose: str) -> Python:
    """`whose` tells two Pythons of one version apart."""
    found = subject.ask(side.executable, loops, side.path)
    interpreter = msgspec.structs.replace(found.interpreter, path=list(side.path))
    return Python(f"{found.key} of {whose}" if whose else found.key, interpreter, found.loops)


def arm_of(side: Side, python: Python, label: str, role: str) -> Arm:
    (arm,) = subject.arms_on(python, [side.loop], several=False)
    return msgspec.convert({**msgspec.structs.asdict(arm), "label": label, "role": role}, Arm)
