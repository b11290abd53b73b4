"""Every scenario in every variant does its work on stock asyncio and on uvloop, and leaves
nothing behind."""

from __future__ import annotations

import asyncio
import math
import threading

import pytest
from scenario_testing.drive import LIBRARIES, measure, operations, ready, slow_ones

from loopgauge.scenarios.io.names import GetaddrinfoLiteral
from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.registry import all_scenarios, benchmark_id


def variants() -> list[tuple[type[Scenario], dict]]:
    return [
        (scenario, params)
        for scenario in all_scenarios().values()
        for params in {str(p): p for p in (*scenario.quick, *scenario.full)}.values()
        if params.get("children", 0) < 1000  # takes seconds, and does the same as eight
    ]


def name(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={value[key]}" for key in value) or "default"
    return value.id if isinstance(value, type) else str(value)


@pytest.fixture(params=["asyncio", "uvloop"])
def any_loop(request):
    factory = asyncio.SelectorEventLoop
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    made = factory()
    yield made
    made.close()


def native_of(params: dict):
    if params.get("callback") != "native":
        return None
    return pytest.importorskip("loopgauge._bench")


def skip_what_uvloop_breaks(scenario: Scenario) -> None:
    if scenario.id in ("throughput.fairness", "timer.lateness", "timer.sleep_jitter"):
        pytest.skip("uvloop's timers are up to a millisecond early, which the check refuses")
    if scenario.id == "io.sendfile":
        pytest.skip("uvloop has no sendfile")
    if scenario.values.get("eager"):
        pytest.skip("uvloop 0.23 passes eager_start=None: not eager, or refused before 3.13.3")


def skip_what_is_not_installed(scenario: Scenario) -> None:
    if scenario.id in LIBRARIES:
        pytest.importorskip(LIBRARIES[scenario.id])


# A thousand signals overflow asyncio's pipe, of which CPython warns.
@pytest.mark.filterwarnings("ignore:Exception ignored when trying to write to the signal wakeup")
@pytest.mark.parametrize(("scenario", "params"), variants(), ids=name)
def test_does_every_operation(any_loop, scenario, params) -> None:
    made = scenario(**params)
    if params.get("eager") and not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("eager tasks need Python 3.12")
    if "uvloop" in type(any_loop).__module__:
        skip_what_uvloop_breaks(made)
    skip_what_is_not_installed(made)
    n = measure(made, any_loop, native_of(params))
    assert n == operations(made, slow_ones(made))
    if made.measure == "value":
        assert math.isfinite(made.take_value())
        assert made.take_value() > 0


@pytest.mark.parametrize("scenario", all_scenarios().values(), ids=name)
def test_leaves_the_loop_usable_and_no_thread(loop, scenario) -> None:
    made = scenario()
    skip_what_is_not_installed(made)
    before = threading.active_count()
    measure(made, loop)
    made.teardown(loop)  # twice is allowed
    if issubclass(scenario, GetaddrinfoLiteral):
        loop.run_until_complete(loop.shutdown_default_executor())  # the loop's own, until it closes
    for thread in threading.enumerate():
        # Python 3.11 has one for each child, which ends a moment after it has told of the exit.
        if "waitpid" in thread.name:
            thread.join(10.0)
    assert threading.active_count() == before
    assert loop.run_until_complete(asyncio.sleep(0, "usable")) == "usable"
    assert not asyncio.all_tasks(loop)


@pytest.mark.parametrize("scenario", all_scenarios().values(), ids=name)
def test_runs_that_follow_are_independent(loop, scenario) -> None:
    made = scenario()
    skip_what_is_not_installed(made)
    n = operations(made, slow_ones(made))
    with ready(made, loop):
        assert [made.run(loop, n), made.run(loop, n + made.grain)] == [n, n + made.grain]


def test_a_run_takes_multiples_of_its_grain_only(loop) -> None:
    made = all_scenarios()["throughput.gather"](size=10)
    with ready(made, loop):
        for n in (0, 15):
            with pytest.raises(ValueError, match="multiple of 10"):
                made.run(loop, n)


def test_a_run_needs_a_setup(loop) -> None:
    with pytest.raises(RuntimeError, match="before setup"):
        all_scenarios()["throughput.sleep0"]().run(loop, 1)


def test_native_callbacks_need_the_native_module(loop) -> None:
    made = all_scenarios()["throughput.call_soon_chain"](callback="native")
    with pytest.raises(RuntimeError, match="extension module"):
        made.setup(loop, None)


def test_figures_of_io_under_busy_loop_have_their_unit(loop) -> None:
    scenario = all_scenarios()["throughput.io_under_busy_loop"]
    assert [scenario(figure=figure).unit for figure in ("turns", "us")] == ["turns", "us"]
    assert benchmark_id(scenario(figure="us")) == "throughput.io_under_busy_loop[figure=us]"


def test_stock_asyncio_sees_a_descriptor_in_the_next_turn(loop) -> None:
    made = all_scenarios()["throughput.io_under_busy_loop"]()
    with ready(made, loop):
        made.run(loop, 20)
        assert made.take_value() == 1.0


def test_only_value_scenarios_have_a_value(loop) -> None:
    with pytest.raises(NotImplementedError, match="measures cpu"):
        all_scenarios()["throughput.sleep0"]().take_value()
