from __future__ import annotations

import pytest

from loopgauge.harness import budget
from loopgauge.harness.budget import LIMITS, Limits, Load

ARMS = ("a", "b", "c", "d", "e", "f")


def even_load(count: int, slot_s: float = 0.004, arms: tuple[str, ...] = ARMS) -> dict[str, Load]:
    return {f"b{i}": Load(dict.fromkeys(arms, slot_s)) for i in range(count)}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("count", [1, 5, 27, 40])
def test_the_plan_fits_the_time(limits: Limits, count: int) -> None:
    fitted = budget.fit(even_load(count), limits, limits.budget_s)
    assert fitted.expected_s <= limits.budget_s
    assert limits.rounds_least <= fitted.rounds <= limits.rounds_wanted
    for blocks in fitted.blocks.values():
        assert limits.blocks_least <= blocks <= limits.blocks_most
        assert blocks % 2 == 0  # whole mirrored pairs


def test_a_small_run_gets_the_most_and_takes_no_longer_than_that() -> None:
    fitted = budget.fit(even_load(1), LIMITS["quick"], 75)
    assert fitted.rounds == LIMITS["quick"].rounds_wanted
    assert fitted.blocks == {"b0": LIMITS["quick"].blocks_most}
    assert fitted.expected_s < 15
    assert not fitted.short


def test_slow_benchmarks_get_fewer_blocks_and_the_same_time() -> None:
    loads = even_load(20) | {"slow": Load(dict.fromkeys(ARMS, 0.04))}
    fitted = budget.fit(loads, LIMITS["quick"], 75)
    assert fitted.blocks["slow"] < fitted.blocks["b0"]
    spent = {name: fitted.blocks[name] * load.block_s for name, load in loads.items()}
    assert spent["slow"] <= spent["b0"] + 2 * loads["slow"].block_s


def test_more_arms_mean_fewer_blocks() -> None:
    few = budget.fit(even_load(27, arms=ARMS[:3]), LIMITS["quick"], 75)
    many = budget.fit(even_load(27, arms=tuple("abcdefghijkl")), LIMITS["quick"], 75)
    assert many.blocks["b0"] < few.blocks["b0"]


def test_what_cannot_fit_is_done_with_the_least_and_says_so() -> None:
    fitted = budget.fit(even_load(27, slot_s=0.5), LIMITS["quick"], 75)
    assert fitted.rounds == LIMITS["quick"].rounds_least
    assert set(fitted.blocks.values()) == {LIMITS["quick"].blocks_least}
    assert fitted.expected_s > 75


def test_processes_of_a_round() -> None:
    slots = dict.fromkeys(ARMS, 0.004)
    loads = even_load(7) | {"own": Load(slots, frozenset(ARMS))}
    assert budget.processes(loads, batch=3) == 3 + len(ARMS)
    isolated = {f"b{i}": Load(slots, frozenset({"a"})) for i in range(7)}
    assert budget.processes(isolated, batch=3) == 3 + 3


@pytest.mark.parametrize(
    ("seconds", "done", "grain", "expected"),
    [
        (0.008, 1000, 1, 500),
        (0.001, 1000, 1, 4000),
        (0.004, 1000, 300, 900),  # a multiple of the grain
        (1.0, 10, 10, 10),  # one grain at least
        (0.0, 1, 1, round(0.004 / 1e-9)),
    ],
)
def test_operations_that_fill_a_slot(seconds: float, done: int, grain: int, expected: int) -> None:
    assert budget.iterations(seconds, done, 0.004, grain) == expected
