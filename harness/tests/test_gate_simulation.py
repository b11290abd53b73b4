"""The simulated gate against the real rules, one sample at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopgauge.harness import statistics
from loopgauge.harness.gate import looks, simulation
from loopgauge.harness.gate.simulation import BETTER, EQUIVALENT, OPEN, WORSE

CALLS = {"open": OPEN, "equivalent": EQUIVALENT, "worse": WORSE, "better": BETTER}


def values(*shape: int, spread: float = 0.01, seed: int = 1) -> statistics.Floats:
    return np.random.default_rng(seed).standard_normal(shape) * spread


@pytest.mark.parametrize("most", [8, 12, 24, 40])
def test_every_call_is_the_call_of_the_looks(most: int) -> None:
    margin = 0.01
    rows = values(120, most) + np.linspace(-0.03, 0.03, 120)[:, np.newaxis]
    plan = looks.looks(most)
    calls, sizes = simulation.first_calls(rows, np.full(120, math.log1p(margin)), plan)
    for row, call, size in zip(rows, calls, sizes, strict=True):
        judged = looks.first_call(row, margin, plan)
        assert judged is not None
        assert (call, size) == (CALLS[judged.call], judged.size)
    assert {*calls} == {OPEN, EQUIVALENT, WORSE, BETTER}


@pytest.mark.parametrize("n", [4, 8, 33])
def test_every_p_value_is_that_of_the_statistics(n: int) -> None:
    rows, margin = values(40, n), 0.004
    found = simulation.p_values(rows, np.full(40, math.log1p(margin)))
    wanted = [statistics.signed_rank_p(row, math.log1p(margin)) for row in rows]
    assert found == pytest.approx(wanted, rel=1e-12)


def test_holm_by_rows_is_holm_over_what_is_asked() -> None:
    random = np.random.default_rng(3)
    p = random.random((200, 6)) ** 6
    asked = random.random((200, 6)) < 0.6
    found = simulation.holm_rows(p, asked)
    for row, these, falls in zip(p, asked, found, strict=True):
        assert [*falls[these]] == statistics.holm([*row[these]], looks.ALPHA)
        assert not falls[~these].any()
    assert found.any()
    assert (asked & ~found).any()


def test_the_second_stage_is_that_of_the_looks() -> None:
    """Two noise-free benchmarks, one worse and one better: both are confirmed, one is found."""
    noise = simulation.noise_of([np.zeros(8), np.zeros(8)])
    effects = np.log1p(np.array([0.05, -0.05]))
    outcome = simulation.play(noise, effects, np.array([0.01, 0.01]), 8, 8, seed=1, gates=3)
    assert [*outcome.found] == [1, 0]
    assert [*outcome.equivalent] == [0, 0]


def test_noise_is_as_wide_as_the_calibration_and_symmetric() -> None:
    calibration = [values(400, spread=0.003), values(400, spread=0.02, seed=2)]
    noise = simulation.noise_of(calibration)
    drawn = noise.draw(np.random.default_rng(5), 400, 50)
    assert np.std(drawn, axis=(0, 2)) == pytest.approx(noise.spreads, rel=0.1)
    assert np.mean(drawn > 0) == pytest.approx(0.5, abs=0.02)


def test_a_spread_known_from_few_processes_is_taken_as_unsure() -> None:
    few, many = (simulation.noise_of([np.tile([0.01, -0.01], n)]) for n in (2, 100))
    spreads = [
        np.std(np.sqrt(np.mean(noise.draw(np.random.default_rng(1), 300, 50) ** 2, axis=2)))
        for noise in (few, many)
    ]
    assert spreads[0] > 3 * spreads[1]


def test_code_at_the_margin_is_not_called_regressed_more_often_than_promised() -> None:
    """Two stages: what the first flags in 5 % of the cases the second confirms in 5 % of those."""
    noise = simulation.noise_of([values(200)])
    margins = np.array([0.01])
    outcome = simulation.play(noise, np.log1p(margins), margins, 32, 32, seed=2, gates=4000)
    assert outcome.found[0] <= 0.01


def test_the_same_seed_plays_the_same_gates() -> None:
    noise = simulation.noise_of([values(12, spread=0.02)])
    played = [
        simulation.play(noise, np.array([0.03]), np.array([0.01]), 16, 16, seed=seed).found[0]
        for seed in (1, 1, 2)
    ]
    assert played[0] == played[1] != played[2]
