"""How many processes and blocks fit the wall time, given what the probe found.

Rounds (processes per arm) decide the width of the intervals and are kept as long as possible;
blocks inside a process are handed out so that every benchmark gets the same time, and one whose
shortest slot is long gets fewer.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from loopgauge.harness.model import Setting


@dataclass(frozen=True)
class Limits:
    budget_s: float  # wall time of the whole run, probe included
    rounds_least: int
    rounds_wanted: int  # more are planned by nobody, but done where time is left
    rounds_most: int
    blocks_least: int
    blocks_wanted: int  # fewer than this, and rounds are given up for blocks
    blocks_most: int
    batch: int
    slot_s: float
    hang_timeout_s: float
    warmup: int = 1
    turns: bool = False  # see model.Plan


# Six processes are the fewest that have a 95 % interval at all.
LIMITS: Mapping[Setting, Limits] = {
    "quick": Limits(
        budget_s=75,
        rounds_least=6,
        rounds_wanted=8,
        rounds_most=12,
        blocks_least=2,
        blocks_wanted=8,
        blocks_most=32,
        batch=1000,
        slot_s=0.002,
        hang_timeout_s=10,
    ),
    "full": Limits(
        budget_s=780,
        rounds_least=12,
        rounds_wanted=16,
        rounds_most=24,
        blocks_least=4,
        blocks_wanted=24,
        blocks_most=36,
        batch=6,
        slot_s=0.004,
        hang_timeout_s=20,
    ),
}

START_S = 0.45  # a worker: interpreter, imports, loops made, exit
SLOT_OVERHEAD_S = 0.0012  # between two slots: gc.collect, gc.freeze, bookkeeping
SETUP_S = 0.002  # one arm's setup and teardown of a benchmark


@dataclass(frozen=True)
class Load:
    """What one benchmark costs in a round: seconds of one slot, per arm."""

    slots_s: Mapping[str, float]
    alone: frozenset[str] = frozenset()  # arms in a process of their own

    @property
    def block_s(self) -> float:
        return sum(self.slots_s.values()) + len(self.slots_s) * SLOT_OVERHEAD_S

    def fixed_s(self, warmup: int) -> float:
        return warmup * self.block_s + len(self.slots_s) * SETUP_S


@dataclass(frozen=True)
class Fit:
    """`short`: time, not the most that is sensible, decided how much is done."""

    rounds: int
    blocks: dict[str, int]
    expected_s: float  # of the measuring, without the probe
    short: bool = True


def iterations(seconds: float, done: int, slot_s: float, grain: int) -> int:
    """Operations for a slot of `slot_s`, from a slot that did `done` of them in `seconds`."""
    wanted = slot_s * done / max(seconds, 1e-9)
    return max(1, round(wanted / grain)) * grain


def fit(loads: Mapping[str, Load], limits: Limits, available_s: float) -> Fit:
    """The most rounds at which the typical benchmark still gets the blocks it wants. Where even
    the least does not fit, the least is what is done: `expected_s` then exceeds the budget."""
    best: Fit | None = None
    for rounds in range(limits.rounds_wanted, limits.rounds_least - 1, -1):
        best = distribute(loads, limits, rounds, available_s)
        counts = sorted(best.blocks.values())
        if best.expected_s <= available_s and counts[len(counts) // 2] >= limits.blocks_wanted:
            return best
    assert best is not None
    return best


def distribute(loads: Mapping[str, Load], limits: Limits, rounds: int, available_s: float) -> Fit:
    """Two blocks at a time (a mirrored pair) to whoever has had the least time so far."""
    counts = dict.fromkeys(loads, limits.blocks_least)
    spent = round_s(loads, counts, limits)
    queue = [(counts[name] * load.block_s, name) for name, load in loads.items()]
    heapq.heapify(queue)
    while queue:
        had, name = heapq.heappop(queue)
        price = 2 * loads[name].block_s
        if counts[name] + 2 > limits.blocks_most or (spent + price) * rounds > available_s:
            continue
        counts[name] += 2
        spent += price
        heapq.heappush(queue, (had + price, name))
    short = any(count + 2 <= limits.blocks_most for count in counts.values())
    return Fit(rounds, counts, rounds * spent, short)


def round_s(loads: Mapping[str, Load], counts: Mapping[str, int], limits: Limits) -> float:
    """One round of everything: the measuring and the processes it takes."""
    measuring = sum(
        load.fixed_s(limits.warmup) + counts[name] * load.block_s for name, load in loads.items()
    )
    return measuring + START_S * processes(loads, limits.batch)


def processes(loads: Mapping[str, Load], batch: int) -> int:
    """Worker processes in one round."""
    shared = sum(not load.slots_s.keys() <= load.alone for load in loads.values())
    own = Counter(arm for load in loads.values() for arm in load.alone)
    return sum(-(-count // batch) for count in (shared, *own.values()))
