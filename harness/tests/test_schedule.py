from __future__ import annotations

import itertools
from collections import Counter

import pytest

from loopgauge.harness import schedule

ARMS = ["a", "b", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_a_whole_set_of_pairs_is_balanced(count: int) -> None:
    """Every arm stands equally often at each place, and after each other arm."""
    rows = [row for pair in schedule.mirrored_pairs(count) for row in pair]
    places = Counter((place, arm) for row in rows for place, arm in enumerate(row))
    assert len(places) == count * count
    assert len(set(places.values())) == 1
    follows = Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert len(follows) == count * (count - 1)
    assert len(set(follows.values())) <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_blocks_hold_every_arm_once_and_come_in_mirrored_pairs(count: int) -> None:
    arms = ARMS[:count]
    blocks = schedule.job_blocks(1, 0, "x", arms, 12)
    assert len(blocks) == 12
    assert all(sorted(block) == arms for block in blocks)
    assert all(blocks[i + 1] == blocks[i][::-1] for i in range(0, 12, 2))


def test_two_arms_give_abba_or_baab() -> None:
    seen = set()
    for round_number in range(20):
        first, second = schedule.job_blocks(1, round_number, "x", ["a", "b"], 2)
        seen.add("".join(first + second))
    assert seen == {"abba", "baab"}


def test_a_linear_drift_cancels() -> None:
    blocks = schedule.job_blocks(3, 0, "x", ARMS[:5], 10)
    times = dict.fromkeys(ARMS[:5], 0)
    for slot, arm in enumerate(arm for block in blocks for arm in block):
        times[arm] += slot
    assert len(set(times.values())) == 1


def test_draws_depend_on_seed_and_purpose_only() -> None:
    assert schedule.hash_seed(1, 2, "batch0") == schedule.hash_seed(1, 2, "batch0")
    drawn = {
        schedule.hash_seed(seed, number, unit)
        for seed in (1, 2)
        for number in (0, 1)
        for unit in ("batch0", "batch1")
    }
    assert len(drawn) == 8


def test_the_draws_are_the_same_on_every_python() -> None:
    """Recorded once: a run begun on one Python can be resumed on another."""
    assert schedule.hash_seed(1, 0, "batch0") == 4148202007
    assert schedule.padding(1, 0, "batch0") == 574
    assert schedule.creation_order(1, 0, "batch0", ARMS[:4]) == ["a", "d", "b", "c"]


def test_batches_hold_every_benchmark_once() -> None:
    names = [f"b{i}" for i in range(10)]
    batches = schedule.batches(1, 0, names, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(name for batch in batches for name in batch) == names
    assert batches != schedule.batches(1, 1, names, 4)


def test_over_two_rounds_the_order_of_processes_is_mirrored() -> None:
    orders = [schedule.process_order(1, number, 6, ARMS[:3]) for number in range(6)]
    assert all(orders[i + 1] == orders[i][::-1] for i in (0, 2, 4))


def test_nobody_is_no_block() -> None:
    assert schedule.job_blocks(1, 0, "x", [], 4) == []
