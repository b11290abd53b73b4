from __future__ import annotations

import msgspec
import numpy as np
import pytest

from loopgauge.harness.errors import NothingToMeasure
from loopgauge.harness.gate import sensitivity, timing
from loopgauge.harness.gate.sensitivity import Plan
from loopgauge.harness.statistics import Floats


def calibration(**spreads: float) -> dict[str, Floats]:
    random = np.random.default_rng(11)
    return {name: random.standard_normal(40) * spread for name, spread in spreads.items()}


def plan(values: dict[str, Floats], minutes: float = 5, change: float = 0.02) -> Plan:
    seconds = dict.fromkeys(values, 0.5)
    margins = dict.fromkeys(values, 0.01)
    return sensitivity.make_plan(
        values, seconds, margins, minutes=minutes, seed=3, change=change, start_s=6
    )


def test_quiet_benchmarks_need_few_processes_and_noisy_ones_more() -> None:
    quiet, middle, loud = plan(calibration(quiet=0.002, middle=0.008, loud=0.08)).benchmarks
    assert quiet.power == 1
    assert quiet.processes == 8
    assert middle.processes is not None
    assert 16 <= middle.processes <= 64
    assert loud.processes is None
    assert loud.power < 0.1
    assert quiet.error < middle.error < loud.error
    assert quiet.smallest is not None
    assert middle.smallest is not None
    assert loud.smallest is not None
    assert 0.01 < quiet.smallest < middle.smallest < 0.03 < loud.smallest


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


def test_minutes_are_the_start_and_processes_times_seconds() -> None:
    (cost,) = plan(calibration(one=0.001, two=0.001)).costs
    at_start, first = 6, 2 * 0.5 * 8  # the first look decides
    second = 2 * 0.5 * timing.CONFIRMATION
    assert cost.unchanged_minutes == pytest.approx((at_start + first) / 60)
    assert cost.changed_minutes == pytest.approx((at_start + first + second) / 60)
    assert (cost.found, cost.worst, cost.equivalent) == (1, 1, 1)


def test_the_minutes_that_are_enough_are_costed_beside_the_planned_ones() -> None:
    """Ten benchmarks in a minute: the clock stops most of them at the first look."""
    made = plan(calibration(**{f"b{n}": 0.007 for n in range(10)}), minutes=1)
    planned, enough = made.costs
    assert planned.minutes == 1
    assert enough.minutes in sensitivity.BUDGETS
    assert planned.worst < 0.9 <= enough.worst
    assert planned.changed_minutes <= 1.5 < enough.changed_minutes <= enough.minutes


def test_a_benchmark_with_too_few_processes_is_left_out_by_name() -> None:
    made = plan({**calibration(one=0.01), "two": np.zeros(3)})
    assert [found.benchmark for found in made.benchmarks] == ["one"]
    assert made.left_out == ["two: 3 processes of base against itself, 4 are needed"]


def test_nothing_calibrated_is_an_error() -> None:
    with pytest.raises(NothingToMeasure, match="less than 4 processes"):
        plan({"one": np.zeros(3)})


def test_samples_without_any_spread_are_no_problem() -> None:
    (found,) = plan({"one": np.zeros(6)}).benchmarks
    assert (found.spread, found.error, found.power, found.equivalent) == (0, 0, 1, 1)


def test_the_seed_makes_the_plan_and_the_plan_is_json() -> None:
    values = calibration(one=0.01, two=0.03)
    first, second = (msgspec.json.encode(plan(values)) for _ in range(2))
    assert first == second
    assert msgspec.json.decode(first, type=Plan).seed == 3
