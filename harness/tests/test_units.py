"""Which processes take turns with each other."""

from __future__ import annotations

from manager_testing.records import header, sample

from loopgauge.harness import units
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Benchmark, Event, Sample

ARMS = ["base", "head", "base~aa"]
NAMES = ["a.a", "a.b", "a.c"]


def companies(events: list[Event], samples: list[Sample]) -> dict[str, set[str]]:
    """By benchmark, the arms that are measured side by side."""
    run = header(ARMS, [Benchmark(id=name, scenario=name, design="process") for name in NAMES])
    run.plan.turns = True
    roster = Roster(run.arms, run.benchmarks)
    roster.apply(events)
    recorded = units.Recorded(run, samples)
    pending = units.pending(run, roster, recorded, 0)
    found: dict[str, set[str]] = {}
    for unit in pending:
        together = units.beside(run, pending, unit)
        assert len({tuple(job.benchmark for job in one.jobs) for one in together}) == 1
        for job in unit.jobs:
            arms = {arm for one in together for arm in one.creation}
            assert found.setdefault(job.benchmark, arms) == arms
    return found


def test_all_arms_take_turns() -> None:
    assert companies([], []) == {name: set(ARMS) for name in NAMES}


def test_what_one_arm_cannot_do_parts_it_from_the_others_there_only() -> None:
    cannot = Event(event="error", benchmark="a.b", arm="head", reason="meant")
    expected = {name: set(ARMS) for name in NAMES} | {"a.b": {"base", "base~aa"}}
    assert companies([cannot], []) == expected


def test_what_one_arm_has_already_is_left_out_there_only() -> None:
    """It was interrupted between the samples of one benchmark."""
    there = sample("base", 0, [1.0] * 4, "a.c")
    expected = {name: set(ARMS) for name in NAMES} | {"a.c": {"head", "base~aa"}}
    assert companies([], [there]) == expected
