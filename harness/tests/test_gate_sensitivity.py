from __future__ import annotations

import msgspec
import numpy as np
import pytest

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate import sensitivity
from loopgauge.harness.gate.sensitivity import Plan
from loopgauge.harness.statistics import Floats


def calibration(**spreads: float) -> dict[str, Floats]:
    random = np.random.default_rng(11)
    return {name: random.standard_normal(40) * spread for name, spread in spreads.items()}


def plan(values: dict[str, Floats], most: int = 24, change: float = 0.02) -> Plan:
    seconds = dict.fromkeys(values, 0.5)
    margins = dict.fromkeys(values, 0.01)
    return sensitivity.make_plan(values, seconds, margins, most=most, seed=3, change=change)


def test_quiet_benchmarks_need_few_processes_and_noisy_ones_more() -> None:
    quiet, middle, loud = plan(calibration(quiet=0.003, middle=0.012, loud=0.08)).benchmarks
    assert quiet.power == 1
    assert quiet.processes == 8
    assert middle.processes is not None
    assert 16 <= middle.processes <= 48
    assert loud.processes is None
    assert loud.power < 0.1
    assert quiet.error < middle.error < loud.error
    assert quiet.smallest is not None
    assert middle.smallest is not None
    assert loud.smallest is not None
    assert 0.01 < quiet.smallest < 0.015 < middle.smallest < 0.03 < loud.smallest


def test_the_smallest_change_is_found_as_often_as_wanted() -> None:
    values = calibration(one=0.01)
    smallest = plan(values).benchmarks[0].smallest
    assert smallest is not None
    assert plan(values, change=smallest).benchmarks[0].power >= 0.9
    assert plan(values, change=smallest * 0.97).benchmarks[0].power < 0.9


def test_powers_rise_with_the_change_and_nothing_within_the_margin_is_found() -> None:
    powers = plan(calibration(one=0.015), change=0.04).benchmarks[0].powers
    assert [*powers] == ["0.01", "0.02", "0.03", "0.04", "0.05", "0.1"]
    assert [*powers.values()] == sorted(powers.values())
    assert powers["0.01"] <= 0.01


def test_minutes_are_processes_times_seconds() -> None:
    cost = plan(calibration(one=0.002, two=0.002), most=32).costs[0]
    assert (cost.processes, cost.fresh) == (32, 32)
    assert cost.most_minutes == pytest.approx(2 * 0.5 * 64 / 60)
    assert cost.usual_minutes == pytest.approx(2 * 0.5 * 8 / 60)  # the first look decides
    assert cost.found == 1


def test_the_size_that_is_enough_is_costed_beside_the_planned_one() -> None:
    made = plan(calibration(one=0.015, hopeless=0.5), most=8)
    needed = made.benchmarks[0].processes
    assert needed is not None
    assert [cost.processes for cost in made.costs] == [8, needed]
    assert made.costs[1].found > made.costs[0].found


def test_a_benchmark_with_too_few_processes_is_left_out_by_name() -> None:
    made = plan({**calibration(one=0.01), "two": np.zeros(3)})
    assert [found.benchmark for found in made.benchmarks] == ["one"]
    assert made.left_out == ["two: 3 calibrated processes, 4 are needed"]


def test_nothing_calibrated_is_an_error() -> None:
    with pytest.raises(NothingToMeasure, match="4 calibrated processes"):
        plan({"one": np.zeros(3)})


def test_samples_without_any_spread_are_no_problem() -> None:
    (found,) = plan({"one": np.zeros(6)}).benchmarks
    assert (found.spread, found.error, found.power, found.equivalent) == (0, 0, 1, 1)


def test_the_seed_makes_the_plan_and_the_plan_is_json() -> None:
    values = calibration(one=0.01, two=0.03)
    first, second = (msgspec.json.encode(plan(values)) for _ in range(2))
    assert first == second
    assert msgspec.json.decode(first, type=Plan).seed == 3
