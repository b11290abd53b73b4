"""Steps: found where they are, with their size, and not where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopgauge.harness.history.model import MachineKind, Point, Series, SeriesKey
from loopgauge.harness.history.steps import (
    changes,
    intervals,
    mid_ranks,
    random_orders,
    search,
    strongest,
)

MACHINE = MachineKind(cpu_model="x", kernel="y", python="3", build_kind="")


def noise(count: int, seed: int = 1, spread: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, count)


def series(values: list[float | None], **fields: str) -> Series:
    given = {"benchmark": "b", "loop": "l", "metric": "ratio", "machine": MACHINE}
    points = [
        Point(run=f"r{n}", created=f"t{n:04}", arm="l", value=value, low=None, high=None,
              processes=8, version=str(n), build="", commit="", status="ok", advisory=False,
              complete=True)
        for n, value in enumerate(values)
    ]  # fmt: skip
    return Series(key=SeriesKey(**{**given, **fields}), points=points)


def test_a_step_is_found_where_it_is() -> None:
    values = noise(60)
    values[35:] += 0.05
    [found] = changes(values)
    assert abs(found.index - 35) <= 1
    assert found.shift == pytest.approx(0.05, abs=0.01)
    assert found.p == pytest.approx(1e-4)
    assert (found.before, found.after) == (found.index, 60 - found.index)


def test_two_opposite_steps_do_not_hide_each_other() -> None:
    values = noise(60)
    values[25:33] += 0.05
    found = changes(values)
    assert [(one.index, one.shift > 0) for one in found] == [(25, True), (33, False)]
    assert [abs(one.shift) for one in found] == pytest.approx([0.05, 0.05], abs=0.01)


def test_one_wild_run_is_no_step() -> None:
    values = noise(40)
    values[20] = 50.0
    assert changes(values) == []


@pytest.mark.parametrize("values", [[], [1.0] * 3, [2.5] * 40, list(range(9))])
def test_nothing_to_find(values: list[float]) -> None:
    assert changes(values) == []


def test_false_steps_are_as_rare_as_said() -> None:
    """Heavy tails and ties, at 5 %: in 400 series at most 34 (the 99.9 % point of the binomial)."""
    generator = np.random.default_rng(7)
    heavy = [generator.standard_cauchy(30) for _ in range(200)]
    tied = [generator.integers(0, 3, 30).astype(float) for _ in range(200)]
    called = sum(bool(changes(one, orders=999)) for one in [*heavy, *tied])
    assert 3 <= called <= 34


def test_the_statistic_by_hand() -> None:
    """Ranks 1 2 | 3 4 of four: the sum of the upper two is 7, its mean 5, its variance 5/3."""
    statistic, begin, end = strongest(mid_ranks(np.array([5.0, 6.0, 7.0, 8.0])), 2)
    assert (begin, end) == (0, 4)
    assert statistic == pytest.approx(2 / math.sqrt(5 / 3))


def test_the_chance_is_that_of_all_orders() -> None:
    """With 2 and 2 of four values only one split is looked at: of the 24 orders 8 separate them."""
    scores = random_orders(tuple(np.sort(mid_ranks(np.arange(4.0)))), 2, 0, 9_999)
    share = np.mean(scores >= 2 / math.sqrt(5 / 3) - 1e-9)
    assert share == pytest.approx(1 / 3, abs=0.02)


def test_equal_values_share_their_rank() -> None:
    assert mid_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [1.0, -1.5, 1.0, -0.5]


def test_intervals_cover_the_series_and_leave_room_for_two_levels() -> None:
    found = intervals(50, 5)
    assert (0, 50) in found
    assert all(begin >= 0 and end <= 50 and end - begin >= 10 for begin, end in found)
    inner = [pair for pair in found if pair != (0, 50)]
    assert all(any(begin <= n < end for begin, end in inner) for n in range(50))


def test_the_same_seed_finds_the_same() -> None:
    values = noise(40, seed=3)
    values[20:] += 0.008
    assert changes(values, seed=5) == changes(values, seed=5)


# Over series


def stepping(factor: float, seed: int = 1) -> list[float | None]:
    values = np.exp(noise(40, seed, 0.004))
    values[24:] *= factor
    return [float(value) for value in values]


def test_a_step_names_its_run_and_its_size() -> None:
    [step] = search([series(stepping(1.03))]).steps
    assert (step.at.run, step.last_before.run) == ("r24", "r23")
    assert step.change == pytest.approx(0.03, abs=0.005)
    assert step.low is not None
    assert step.high is not None
    assert 0.02 < step.low < step.change < step.high < 0.04
    assert step.worse
    assert (step.before, step.after) == (24, 16)


def test_where_more_is_better_less_is_worse() -> None:
    [step] = search([series(stepping(0.9), direction="higher")]).steps
    assert step.worse
    [step] = search([series(stepping(0.9))]).steps
    assert not step.worse


def test_runs_in_which_the_loop_failed_are_passed_over() -> None:
    values = stepping(1.05)
    values[24:24] = [None, None]
    [step] = search([series(values)]).steps
    assert (step.at.run, step.last_before.run) == ("r26", "r23")


def test_small_steps_are_not_worth_a_word() -> None:
    values = series(stepping(1.01))
    assert len(search([values], margin=0.001).steps) == 1
    assert search([values], margin=0.02).steps == []


def test_values_of_zero_have_a_shift_and_no_share() -> None:
    values: list[float | None] = [0.0] * 20 + [3.0] * 20
    [step] = search([series(values)]).steps
    assert step.change is None
    assert step.shift == 3.0


def test_many_series_are_judged_more_strictly() -> None:
    quiet = [series([float(v) for v in np.exp(noise(30, n))]) for n in range(2, 32)]
    found = search([series(stepping(1.05)), *quiet, series([1.0] * 4)])
    assert found.series == 32
    assert found.too_short == 1
    assert found.level == pytest.approx(0.05 / 31)
    assert [step.at.run for step in found.steps] == ["r24"]
