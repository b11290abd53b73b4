"""What floor, native loop and Python add to each other."""

from __future__ import annotations

from typing import Any

import pytest
from manager_testing.records import run_of

from loopgauge.harness.model import Benchmark
from loopgauge.harness.summary import BenchmarkSummary, summarise
from loopgauge.harness.tiers import Layer

ECHO = Benchmark(id="io.echo", scenario="io.echo", unit="message", floor=True, native=True)
DRIFT = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]  # the machine, from process to process


def echo(benchmark: Benchmark = ECHO, **costs: float) -> BenchmarkSummary:
    """Every arm drifts with the machine."""
    named = {"asyncio": 4000.0, "asyncio~aa": 4000.0, **costs}
    run: Any = run_of(
        {name: [cost * factor for factor in DRIFT] for name, cost in named.items()}, benchmark
    )
    return summarise(run).benchmarks[0]


def layers(found: BenchmarkSummary, arm: str) -> dict[str, Layer]:
    [stack] = [stack for stack in found.tiers if stack.arm == arm]
    return {layer.tier: layer for layer in stack.layers}


NAMED = {"floor": 1000.0, "native:epoll": 1200.0, "epoll": 2000.0, "other": 3000.0}


def test_each_layer_is_what_an_arm_costs_more_than_the_one_below() -> None:
    found = layers(echo(**NAMED), "epoll")
    assert [*found] == ["floor", "native", "Python"]
    middle = 1.35  # of the drift
    assert found["floor"].cost == pytest.approx(1000 * middle)
    assert found["native"].cost == pytest.approx(200 * middle)
    assert found["Python"].cost == pytest.approx(800 * middle)


def test_a_loop_whose_library_is_not_measured_is_not_taken_apart() -> None:
    found = layers(echo(**NAMED), "other")
    assert [*found] == ["floor", "loop"]
    assert found["loop"].cost == pytest.approx(2000 * 1.35)


def test_differences_are_paired_by_process() -> None:
    """Costs drift by 70 %; where the difference stays, its interval is that of nothing."""
    run: Any = run_of(
        {
            "asyncio": [4000.0] * 8,
            "asyncio~aa": [4000.0] * 8,
            "floor": [1000 * factor for factor in DRIFT],
            "epoll": [1000 * factor + 500 for factor in DRIFT],
        },
        ECHO,
    )
    layer = layers(summarise(run).benchmarks[0], "epoll")["loop"]
    assert (layer.cost, layer.low, layer.high) == pytest.approx((500, 500, 500))


def test_less_than_nothing_is_said_as_it_is() -> None:
    found = layers(echo(floor=1000.0, epoll=900.0), "epoll")
    assert found["loop"].cost == pytest.approx(-100 * 1.35)


def test_what_waits_has_no_layers() -> None:
    late = Benchmark(
        id="io.late", scenario="io.late", unit="us", measure="value", floor=True, native=True
    )
    assert echo(late, **NAMED).tiers == []


def test_without_floor_and_native_loops_there_are_none() -> None:
    plain = Benchmark(id="io.plain", scenario="io.plain")
    assert echo(plain, epoll=2000.0).tiers == []
