"""How many operations a slot gets."""

from __future__ import annotations

import pytest

from loopgauge.harness import planning
from loopgauge.harness.model import Arm, Benchmark, Environment
from loopgauge.harness.probe import Findings, ProbeSlot
from loopgauge.harness.request import RunRequest
from loopgauge.harness.subject import Subject


def arm(label: str) -> Arm:
    return Arm(label=label, loop=label, role="candidate", python="3", factory="x:y")


@pytest.mark.parametrize(
    ("equal_work", "planned"),
    [(False, {"base": 1000, "head": 4000}), (True, {"base": 4000, "head": 4000})],
)
def test_slots_of_unequal_loops(equal_work: bool, planned: dict[str, int]) -> None:
    """Base was four times slower in the probe: by itself it gets a quarter of the operations."""
    subject = Subject(
        arms=[arm("base"), arm("head")],
        benchmarks=[Benchmark(id="fake.work", scenario="fake.work", grain=10)],
        environment=Environment(),
        design=None,
    )
    findings = Findings()
    findings.slots["fake.work", "base"] = ProbeSlot(done=100, wall_s=0.0004, cpu_s=0.0004)
    findings.slots["fake.work", "head"] = ProbeSlot(done=100, wall_s=0.0001, cpu_s=0.0001)
    request = RunRequest(setting="full", equal_work=equal_work)
    plan = planning.plan(request, subject, findings, probe_s=0.0)
    found = plan.allocations["fake.work"]
    assert found.iterations == planned
    slots_s = 0.004 * (5 if equal_work else 2)
    assert found.block_s == pytest.approx(slots_s, abs=0.004)
