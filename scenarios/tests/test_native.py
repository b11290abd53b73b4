"""Scenarios as C++ callbacks, on every native backend that was built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scenario_testing.generators import generator

from loopgauge import _bench
from loopgauge.scenarios.empty import EmptyOperation
from loopgauge.scenarios.io.floor import Floor
from loopgauge.scenarios.model import CheckFailed, Scenario
from loopgauge.scenarios.native import NativeLoop
from loopgauge.scenarios.registry import all_scenarios

BUILT = [found["name"] for found in _bench.native_backends() if not found["reason"]]
WITH_NATIVE = [made for made in all_scenarios().values() if made().has_native]
ALONE = [made for made in WITH_NATIVE if not made.needs_generator]


@pytest.fixture(params=BUILT)
def loop(request: pytest.FixtureRequest) -> Iterator[NativeLoop]:
    made = NativeLoop(request.param)
    yield made
    made.close()


def test_the_built_in_core_is_always_there() -> None:
    assert "epoll" in BUILT


def test_what_is_not_built_names_its_package() -> None:
    for found in _bench.native_backends():
        if found["reason"]:
            assert "and rebuild)" in found["reason"]


@pytest.mark.parametrize("scenario", ALONE, ids=lambda made: made.id)
def test_every_variant_does_what_is_asked(scenario: type[Scenario], loop: NativeLoop) -> None:
    for params in {str(p): p for p in (*scenario.quick, scenario.full[-1])}.values():
        made = scenario(**params)
        if not made.has_native:
            continue
        made.setup(loop, _bench)
        for factor in (1, 3):
            n = made.grain * factor
            assert made.run(loop, n) == n
        made.teardown(loop)


def test_a_scenario_without_a_counterpart_is_unsupported(loop: NativeLoop) -> None:
    made = all_scenarios()["throughput.task_spawn"]()
    with pytest.raises(NotImplementedError, match="no native counterpart"):
        made.setup(loop, _bench)


def test_the_tier_needs_the_extension_module(loop: NativeLoop) -> None:
    with pytest.raises(NotImplementedError, match="_bench"):
        all_scenarios()["throughput.call_soon_chain"]().setup(loop)


def test_a_run_that_does_not_end_is_stopped_from_outside(loop: NativeLoop) -> None:
    """The scenario's guard does so; here a chain that would take minutes."""
    made = all_scenarios()["throughput.call_soon_chain"]()
    made.patience = 0.05
    made.setup(loop, _bench)
    with pytest.raises(CheckFailed, match=r"did not end within|operations were done"):
        made.run(loop, 1 << 40)
    made.teardown(loop)


def test_work_and_loop_can_go_in_any_order() -> None:
    engine = _bench.NativeLoop("epoll")
    work = engine.chain()
    del engine
    assert work.run(10) == 10


def test_an_empty_operation_counts(loop: NativeLoop) -> None:
    empty = EmptyOperation()
    empty.setup(loop, _bench)
    assert empty.run(loop, 1000) == 1000
    empty.teardown(loop)
    assert empty.id not in all_scenarios()


SERVED = [
    variant
    for made in WITH_NATIVE
    for variant in map(lambda p, m=made: m(**p), made.quick)
    if made.needs_generator and variant.has_native
]


@pytest.mark.parametrize("scenario", SERVED, ids=lambda made: f"{made.id}{made.values}")
def test_the_generator_is_served(scenario: Scenario, loop: NativeLoop) -> None:
    scenario.generator = generator()
    scenario.setup(loop, _bench)
    for factor in (1, 3):
        n = scenario.grain * factor
        assert scenario.run(loop, n) == n
    scenario.teardown(loop)


def test_the_floors_do_the_same_work() -> None:
    floor = Floor()
    for made in (name() for name in all_scenarios().values()):
        if not made.has_floor or made.needs_generator:
            continue
        made.setup(floor, _bench)
        assert made.run(floor, made.grain * 2) == made.grain * 2
        if made.measure == "value":
            assert made.last_value() > 0
        made.teardown(floor)
    floor.close()
