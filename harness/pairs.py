"""Benchmark and arm, the unit of the tiers that are counted instead of timed."""

from __future__ import annotations

from collections.abc import Collection

from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import Arm, Benchmark
from loopgauge.harness.store import RunFile

Pair = tuple[Benchmark, Arm]


def uncounted(
    file: RunFile,
    roster: Roster,
    roles: Collection[str],
    first: str,
    given_up: set[tuple[str, str]],
) -> list[Pair]:
    """Benchmark by benchmark, what has neither the figure `first`, which every pair gets, nor was
    given up (ids and labels). The twin of the reference is in no `roles`: it would be the same."""
    done = {(metric.benchmark, metric.arm) for metric in file.metrics if metric.metric == first}
    settled = done | given_up
    return [
        (benchmark, arm)
        for benchmark in file.header.benchmarks
        for arm in file.header.arms
        if arm.role in roles
        and (benchmark.id, arm.label) not in settled
        and roster.takes_part(benchmark.id, arm.label)
    ]
