"""The simulated gate against the real rules, one sample at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopgauge.harness import statistics
from loopgauge.harness.gate import looks, simulation
from loopgauge.harness.gate.simulation import BETTER, EQUIVALENT, OPEN, WORSE, Rules

CALLS = {"open": OPEN, "equivalent": EQUIVALENT, "worse": WORSE, "better": BETTER}


def values(*shape: int, spread: float = 0.01, seed: int = 1) -> statistics.Floats:
    return np.random.default_rng(seed).standard_normal(shape) * spread


def rules(benchmarks: int, most: int = 64, margin: float = 0.01, **limits: float) -> Rules:
    """Each process takes a second."""
    return Rules(
        seconds=np.ones(benchmarks),
        margins=np.full(benchmarks, margin),
        plan=looks.looks(most),
        fresh=16,
        **limits,
    )


@pytest.mark.parametrize("most", [8, 12, 24, 64])
def test_every_call_is_the_call_of_the_looks(most: int) -> None:
    played = rules(3, most)
    gates = values(80, 3, most) + np.linspace(-0.03, 0.03, 80)[:, np.newaxis, np.newaxis]
    stage = simulation.first_stage(gates, played)
    for gate, calls, sizes in zip(gates, stage.calls, stage.sizes, strict=True):
        for row, call, size in zip(gate, calls, sizes, strict=True):
            judged = looks.first_call(row, 0.01, played.plan)
            assert judged is not None
            assert (call, size) == (CALLS[judged.call], judged.size)
    assert {*stage.calls.flat} == {OPEN, EQUIVALENT, WORSE, BETTER}
    assert stage.elapsed_s == pytest.approx(stage.sizes.sum(axis=1))


def undecided(benchmarks: int) -> statistics.Floats:
    """One gate whose intervals reach over the margin to the end."""
    wide = np.arange(1, 65) * np.tile([0.1, -0.1], 32)
    return np.tile(wide, (1, benchmarks, 1))


@pytest.mark.parametrize(
    ("start_s", "limit_s", "size"),
    [
        (0, np.inf, 64),
        (0, 59, 30),  # of two benchmarks, a round takes two seconds; it begins at 58
        (10, 59, 25),
        (0, 0, 8),  # the first look is always reached
    ],
)
def test_the_clock_ends_the_first_stage(start_s: float, limit_s: float, size: int) -> None:
    stage = simulation.first_stage(
        undecided(2), rules(2, start_s=start_s, limit_s=limit_s, flagged_s=0)
    )
    assert stage.sizes.tolist() == [[size, size]]
    assert stage.calls.tolist() == [[OPEN, OPEN]]


@pytest.mark.parametrize("limit_s", [23, 31.5, 60, 100])
def test_what_the_clock_left_open_is_looked_at_once_more(limit_s: float) -> None:
    played = rules(3, limit_s=limit_s, flagged_s=limit_s)
    gates = values(80, 3, 64) + np.linspace(-0.03, 0.03, 80)[:, np.newaxis, np.newaxis]
    stage = simulation.first_stage(gates, played)
    late = 0
    for gate, calls, sizes in zip(gates, stage.calls, stage.sizes, strict=True):
        for row, call, size in zip(gate, calls, sizes, strict=True):
            at_looks = looks.first_call(row[: int(size)], 0.01, played.plan)
            judged = looks.first_call(row[: int(size)], 0.01, played.plan, ended=True)
            assert judged is not None
            assert at_looks is not None
            assert (call, size) == (CALLS[judged.call], judged.size)
            late += judged.call != at_looks.call
    assert late


def test_a_flag_keeps_time_for_the_second_stage_and_its_decision_gives_time_to_the_rest() -> None:
    gate = undecided(2)
    gate[0, 0] = np.full(64, 0.2)
    stage = simulation.first_stage(gate, rules(2, limit_s=1000, flagged_s=39))
    assert stage.calls.tolist() == [[WORSE, OPEN]]
    assert stage.sizes.tolist() == [[8, 8 + 24]]  # the first eight rounds took 16 seconds


def test_the_second_stage_is_as_large_as_its_time_allows() -> None:
    flagged = np.array([[False, False, False], [True, False, False], [True, True, True]])
    limited = rules(3, second_s=30, limit_s=100)
    sizes = simulation.fresh_sizes(flagged, np.full(3, 90.0), limited)
    assert sizes.tolist() == [16, 16, 10]
    sizes = simulation.fresh_sizes(flagged, np.full(3, 61.0), limited)
    assert sizes.tolist() == [16, 16, 13]
    short = rules(3, second_s=3, limit_s=100)
    assert simulation.fresh_sizes(flagged, np.full(3, 100.0), short).tolist() == [16, 8, 8]


def test_the_second_stage_confirms_what_the_looks_confirm() -> None:
    random = np.random.default_rng(5)
    fresh = values(150, 4, 16) + random.choice([0.0, 0.012, 0.03], (150, 4, 1))
    flagged = random.random((150, 4)) < 0.7
    sizes = random.integers(8, 17, 150)
    margins = [0.01, 0.01, 0.005, 0.02]
    found = simulation.confirmed(fresh, flagged, sizes, np.log1p(margins))
    for gate, asked, size, kept in zip(fresh, flagged, sizes, found, strict=True):
        wanted = looks.confirmed(
            [row[:size] for row in gate[asked]],
            [m for m, ask in zip(margins, asked, strict=True) if ask],
            [1] * int(asked.sum()),
        )
        assert [*kept[asked]] == wanted
        assert not kept[~asked].any()
    assert 0 < found.sum() < flagged.sum()


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


def test_worse_is_found_and_better_is_not() -> None:
    noise = simulation.noise_of([np.zeros(8), np.zeros(8)])
    effects = np.log1p(np.array([0.05, -0.05]))
    outcome = simulation.play(noise, effects, rules(2), seed=1, gates=3)
    assert [*outcome.found] == [1, 0]
    assert [*outcome.equivalent] == [0, 0]
    assert outcome.minutes == pytest.approx((2 * 8 + 2 * 16) / 60)


def test_noise_is_as_wide_as_the_calibration_and_symmetric() -> None:
    calibration = [values(400, spread=0.003, seed=3), values(400, spread=0.02, seed=2)]
    noise = simulation.noise_of(calibration)
    assert noise.spreads == pytest.approx([0.003, 0.02], rel=0.1)
    drawn = noise.draw(np.random.default_rng(5), 400, 50)
    assert np.std(drawn, axis=(0, 2)) == pytest.approx(noise.spreads, rel=0.1)
    assert np.mean(drawn > 0) == pytest.approx(0.5, abs=0.02)


def test_a_disturbed_process_belongs_to_the_tail() -> None:
    quiet = values(16, spread=0.005)
    disturbed = np.append(quiet[1:], 0.2)
    assert simulation.robust_spread(disturbed) < 1.4 * simulation.robust_spread(quiet)
    drawn = simulation.noise_of([disturbed]).draw(np.random.default_rng(1), 200, 50)
    assert 0.02 < np.mean(np.abs(drawn) > 0.1) < 0.1


def test_spreads_that_differ_by_chance_are_taken_as_one() -> None:
    random = np.random.default_rng(4)
    found = np.array([simulation.robust_spread(random.standard_normal(8)) for _ in range(10)])
    errors = np.full(10, 1 / (2 * simulation.FREEDOM * 8))
    moved, unsure = simulation.moved_together(found, errors)
    assert np.std(np.log(moved)) < 0.4 * np.std(np.log(found))
    assert np.all(unsure < np.sqrt(errors))


def test_spreads_that_really_differ_stay_as_they_are() -> None:
    found = np.array([0.001, 0.01, 0.1, 1.0, 0.0])
    errors = np.full(5, 0.05)
    moved, unsure = simulation.moved_together(found, errors)
    assert moved == pytest.approx(found, rel=0.05)
    assert unsure[:4] == pytest.approx(np.sqrt(errors[:4]), rel=0.05)
    assert (moved[4], unsure[4]) == (0, 0)


def test_two_spreads_say_nothing_of_how_alike_they_are() -> None:
    moved, unsure = simulation.moved_together(np.array([0.01, 0.02]), np.array([0.04, 0.09]))
    assert moved.tolist() == [0.01, 0.02]
    assert unsure == pytest.approx([0.2, 0.3])


def test_code_at_the_margin_is_not_called_regressed_more_often_than_promised() -> None:
    """Two stages: what the first flags in 5 % of the cases the second confirms in 5 % of those."""
    noise = simulation.noise_of([values(200)])
    outcome = simulation.play(noise, np.log1p([0.01]), rules(1), seed=2, gates=4000)
    assert outcome.found[0] <= 0.01


def test_the_same_seed_plays_the_same_gates() -> None:
    noise = simulation.noise_of([values(12, spread=0.02)])
    played = [
        simulation.play(noise, np.array([0.03]), rules(1, 16), seed=seed).found[0]
        for seed in (1, 1, 2)
    ]
    assert played[0] == played[1] != played[2]
