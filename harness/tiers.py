"""What each tier adds to the cost of an operation: bare system calls, a native loop, Python.

The floor is what the machine takes, whoever asks it. A native loop is the same work as C++
callbacks; what it costs more than the floor is the price of a loop. A Python loop on the same
library costs that again, and its Python. Only two of the loops stand on a library that is measured
natively too; the other loops are shown over the floor, their Python not told apart.

Only costs are stacked. How late a timer fires, or a percentile of latencies, is no sum of what each
tier adds.

Every layer is a difference between two arms of the same processes: one number per round, the
difference of their costs (medians over slots), then the estimate and the interval that any other
figure gets (statistics.py). Estimates of differences need not add up to the estimate of the whole:
each is the middle of its own differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from loopgauge.harness import statistics
from loopgauge.harness.families import kind_of
from loopgauge.harness.model import Benchmark
from loopgauge.harness.pairing import SampleIndex, slot_costs

# The Python loops whose library is measured by itself, and the label of that arm.
COUNTERPARTS = {"epoll": "native:epoll", "uvloop": "native:libuv"}


class Layer(msgspec.Struct, kw_only=True):
    """What `tier` adds per operation, in the unit of the benchmark; below zero where the arm costs
    less than what it is compared with. Without an interval it reaches to infinity."""

    tier: str  # "floor", "native", "Python"; "loop" where native loop and Python are one layer
    cost: float
    low: float
    high: float


class Stack(msgspec.Struct, kw_only=True):
    """One arm, from below: the first layer is a cost, the others are differences."""

    arm: str
    layers: list[Layer]


def stacks(
    index: SampleIndex,
    benchmark: Benchmark,
    floor: str,
    natives: Sequence[str],
    loops: Sequence[str],
) -> list[Stack]:
    """Of arms with valid figures; `loops` are labels, `floor` is "" where there is none.
    Nothing where there is neither a floor nor a native loop, or no cost is measured."""
    if not (floor or natives) or benchmark.direction == "higher" or kind_of(benchmark) != "cost":
        return []
    costs = {
        label: _by_round(index, benchmark, label) for label in (floor, *natives, *loops) if label
    }
    made = [_stack(costs, [("floor", floor)])] if floor else []
    made += [_stack(costs, [*_below(floor, ""), ("native", label)]) for label in natives]
    for label in loops:
        native = COUNTERPARTS.get(label.partition("@")[0], "")
        native = native if native in natives else ""
        if floor or native:
            tier = "Python" if native else "loop"
            made.append(_stack(costs, [*_below(floor, native), (tier, label)]))
    return [stack for stack in made if stack.layers]


def _below(floor: str, native: str) -> list[tuple[str, str]]:
    tiers = [("floor", floor), ("native", native)]
    return [(tier, label) for tier, label in tiers if label]


def _stack(costs: dict[str, dict[int, float]], tiers: Sequence[tuple[str, str]]) -> Stack:
    """Each of `tiers` (name, arm) over the one before it."""
    layers = []
    below: dict[int, float] | None = None
    for tier, label in tiers:
        own = costs[label]
        rounds = sorted(own if below is None else own.keys() & below.keys())
        if not rounds:
            return Stack(arm=tiers[-1][1], layers=[])
        base = below or dict.fromkeys(rounds, 0.0)
        added = np.array([own[number] - base[number] for number in rounds])
        low, high = statistics.signed_rank_interval(added)
        layers.append(Layer(tier=tier, cost=statistics.hodges_lehmann(added), low=low, high=high))
        below = own
    return Stack(arm=tiers[-1][1], layers=layers)


def _by_round(index: SampleIndex, benchmark: Benchmark, label: str) -> dict[int, float]:
    found = {}
    for number, sample in index.rounds(benchmark.id, label).items():
        costs = slot_costs(benchmark, sample)
        if len(costs):
            found[number] = statistics.median(costs)
    return found
