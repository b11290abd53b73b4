from __future__ import annotations

import pytest

from loopgauge.harness.desk import Desk
from loopgauge.harness.model import Sample
from loopgauge.harness.units import Job, Unit
from loopgauge.harness.worker.plan import End, Samples


def samples(arm: str, benchmark: str = "b") -> Samples:
    return Samples(
        benchmark=benchmark, arm=arm, n=[1], block=[0], slot=[0], wall_ns=[1], process_ns=[1],
        thread_ns=[1], value=None, nivcsw=[0],
    )  # fmt: skip


@pytest.fixture
def saved() -> list[str]:
    return []


@pytest.fixture
def desk(saved: list[str]) -> Desk:
    jobs = (Job("b", ("x", "y"), 1), Job("c", ("x", "y"), 1))
    unit = Unit(round=0, design="hybrid", creation=("x", "y"), jobs=jobs, hash_seed=1, padding=0)

    def save(found: list[Sample], unit: Unit) -> None:
        saved.extend(f"{sample.benchmark}/{sample.arm}" for sample in found)

    return Desk(unit, 1, 0, "3", save, lambda record: None, lambda begin: None)  # type: ignore[arg-type]


def test_a_benchmark_is_saved_at_its_end(desk: Desk, saved: list[str]) -> None:
    desk.reception(samples("x"))
    desk.reception(samples("y"))
    assert saved == []
    desk.reception(End(benchmark="b"))
    assert saved == ["b/x", "b/y"]


def test_an_interruption_of_the_tidying_up_keeps_everything(desk: Desk, saved: list[str]) -> None:
    desk.reception(samples("x"))
    desk.reception(samples("y"))
    desk.interrupted()
    assert saved == ["b/x", "b/y"]


def test_an_interruption_keeps_no_part_that_would_be_measured_twice(
    desk: Desk, saved: list[str]
) -> None:
    desk.reception(samples("x"))
    desk.interrupted()
    assert saved == []


def test_an_interruption_with_nothing_waiting(desk: Desk, saved: list[str]) -> None:
    desk.interrupted()
    assert saved == []
