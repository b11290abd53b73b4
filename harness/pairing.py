"""From raw samples to the numbers the statistics take: costs per operation and paired log-ratios.

A sample's cost is its median over slots. Two arms are paired inside one round: block by block
where one process held both (hybrid) or their processes took turns, by their medians where each had
a process at a time of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from loopgauge.harness.model import Benchmark, Sample
from loopgauge.harness.statistics import Floats, block_log_ratios, median, medians


class SampleIndex:
    """Each (benchmark, arm, round) once: where a benchmark had to be measured again after an
    interruption, the later sample replaces the earlier one."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_arm: dict[tuple[str, str], dict[int, Sample]] = {}
        # By benchmark, arm and base, once they were asked for.
        self.ratios: dict[tuple[str, str, str], dict[int, float] | None] = {}
        self._costs: dict[tuple[str, str], dict[int, Floats]] = {}
        for sample in samples:
            self._by_arm.setdefault((sample.benchmark, sample.arm), {})[sample.round] = sample

    def rounds(self, benchmark: str, arm: str) -> dict[int, Sample]:
        return self._by_arm.get((benchmark, arm), {})

    def samples(self, benchmark: str, arm: str) -> list[Sample]:
        rounds = self.rounds(benchmark, arm)
        return [rounds[number] for number in sorted(rounds)]

    def costs(self, benchmark: Benchmark, arm: str) -> dict[int, Floats]:
        """Of the slots, by round. Kept: whatever is compared asks for them."""
        key = (benchmark.id, arm)
        if key not in self._costs:
            rounds = self.rounds(*key)
            numbers = sorted(rounds)
            rows = costs_of_all(benchmark, [rounds[number] for number in numbers])
            self._costs[key] = dict(zip(numbers, rows, strict=True))
        return self._costs[key]


def costs_of_all(benchmark: Benchmark, samples: Sequence[Sample]) -> Sequence[Floats]:
    """`slot_costs` of each; in one array where all have as many slots, which is much faster."""
    if benchmark.measure == "value" or len({len(sample.n) for sample in samples}) != 1:
        return [slot_costs(benchmark, sample) for sample in samples]
    wall = benchmark.measure == "wall"
    total = np.array([s.wall_ns if wall else s.process_ns for s in samples], dtype=np.float64)
    return [*(total / np.array([sample.n for sample in samples], dtype=np.float64))]


def slot_costs(benchmark: Benchmark, sample: Sample) -> Floats:
    """The headline figure of every slot: ns per operation, or the scenario's own value."""
    if benchmark.measure == "value":
        return np.array(sample.value or [], dtype=np.float64)
    total = sample.wall_ns if benchmark.measure == "wall" else sample.process_ns
    return per_operation(total, sample.n)


def per_operation(total_ns: list[int], n: list[int]) -> Floats:
    return np.array(total_ns, dtype=np.float64) / np.array(n, dtype=np.float64)


def log_ratios(index: SampleIndex, benchmark: Benchmark, arm: str, base: str) -> Floats | None:
    """One per round in which both were measured, ascending by round; below 0 the arm is better.

    None where a ratio has no meaning: a cost of zero or less, as measured values may be."""
    ratios = round_log_ratios(index, benchmark, arm, base)
    return None if ratios is None else np.array(list(ratios.values()), dtype=np.float64)


def round_log_ratios(
    index: SampleIndex, benchmark: Benchmark, arm: str, base: str
) -> dict[int, float] | None:
    """The same by round. Kept: families ask for the ratios that their benchmarks asked for."""
    key = (benchmark.id, arm, base)
    if key not in index.ratios:
        index.ratios[key] = _round_log_ratios(index, benchmark, arm, base)
    return index.ratios[key]


def _round_log_ratios(
    index: SampleIndex, benchmark: Benchmark, arm: str, base: str
) -> dict[int, float] | None:
    arm_rounds, base_rounds = index.rounds(benchmark.id, arm), index.rounds(benchmark.id, base)
    arm_costs, base_costs = index.costs(benchmark, arm), index.costs(benchmark, base)
    sign = -1 if benchmark.direction == "higher" else 1
    numbers = sorted(arm_rounds.keys() & base_rounds.keys())
    logs = []
    for number in numbers:
        pair = paired(
            arm_rounds[number], base_rounds[number], arm_costs[number], base_costs[number]
        )
        if pair is None:
            return None
        logs.append(block_log_ratios(*pair))
    return {number: sign * one for number, one in zip(numbers, medians(logs), strict=True)}


def paired_costs(benchmark: Benchmark, arm: Sample, base: Sample) -> tuple[Floats, Floats] | None:
    return paired(arm, base, slot_costs(benchmark, arm), slot_costs(benchmark, base))


def paired(
    arm: Sample, base: Sample, arm_costs: Floats, base_costs: Floats
) -> tuple[Floats, Floats] | None:
    if len(arm_costs) == 0 or len(base_costs) == 0:
        return None
    if arm.process == base.process or 0 < arm.together == base.together:
        if arm.block != base.block:  # mostly nothing was left out
            _, in_arm, in_base = np.intersect1d(arm.block, base.block, return_indices=True)
            arm_costs, base_costs = arm_costs[in_arm], base_costs[in_base]
    else:
        arm_costs = np.array([median(arm_costs)])
        base_costs = np.array([median(base_costs)])
    if len(arm_costs) == 0 or np.min(arm_costs) <= 0 or np.min(base_costs) <= 0:
        return None
    return arm_costs, base_costs
