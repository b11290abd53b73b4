"""What one worker process is told, as plain data: whoever runs it, here or elsewhere, needs nothing
else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from loopgauge.harness import units
from loopgauge.harness.model import Arm, Benchmark, Header, Interpreter
from loopgauge.harness.units import Unit
from loopgauge.harness.worker.plan import SCHEMA

# The worker ends itself, with a stack, after 1.25 times its limit; its runner waits longer.
SILENCE_FACTOR = 2.0


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """One worker process to be. Several that are run in one call live side by side and take turns;
    `turns` is then the arm that this one has."""

    python: str  # the interpreter's executable
    plan: dict[str, Any]
    hash_seed: int
    padding: int  # bytes of environment
    silence_s: float  # no message for so long means that it hangs
    cpus: list[int] | None = None  # pinned to these; None: all
    turns: str = ""


class Orders:
    """Writes the orders of one run."""

    def __init__(
        self,
        interpreters: Mapping[str, Interpreter],
        path: Sequence[str],
        cpus: Sequence[int] | None,
        hang_timeout_s: float,
    ) -> None:
        self._interpreters = interpreters
        self._path = list(path)
        self._cpus = None if cpus is None else list(cpus)
        self._hang_timeout_s = hang_timeout_s

    def probe(self, arm: Arm, benchmarks: Sequence[Benchmark], slot_s: float) -> Order:
        plan = {
            **self._envelope(0, 0, "probe", arm.python),
            "arms": [arm_plan(arm)],
            "jobs": [
                {**job_plan(benchmark), "min_time": max(slot_s, benchmark.slot_s)}
                for benchmark in benchmarks
            ],
        }
        return self._made(arm.python, plan, hash_seed=1, padding=0)

    def measure(
        self, header: Header, together: Sequence[Unit], processes: Sequence[int]
    ) -> list[Order]:
        """One order per unit."""
        return [
            self._order(header, together, unit, process)
            for unit, process in zip(together, processes, strict=True)
        ]

    def _order(self, header: Header, together: Sequence[Unit], unit: Unit, process: int) -> Order:
        arms = {arm.label: arm for arm in header.arms}
        benchmarks = {benchmark.id: benchmark for benchmark in header.benchmarks}
        jobs = []
        for job in unit.jobs:
            counts = header.plan.allocations[job.benchmark].iterations
            jobs.append(
                {
                    **job_plan(benchmarks[job.benchmark]),
                    "min_time": header.plan.slot_s,
                    "warmup": header.plan.warmup,
                    "iterations": {arm: counts[arm] for arm in job.arms if arm in counts},
                    "blocks": units.blocks(header, together, job),
                }
            )
        own = unit.creation[0]
        plan = {
            **self._envelope(process, header.seed, unit.design, arms[own].python),
            "gc": header.plan.gc,
            "arms": [arm_plan(arms[label]) for label in unit.creation],
            "jobs": jobs,
        }
        turns = own if len(together) > 1 else ""
        return self._made(arms[own].python, plan, unit.hash_seed, unit.padding, turns)

    def _envelope(self, process: int, seed: int, design: str, python: str) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "process": process,
            "seed": seed,
            "design": design,
            "hang_timeout": self._hang_timeout_s,
            "path": self._path,
            "behind": self._interpreters[python].path,
        }

    def _made(
        self, python: str, plan: dict[str, Any], hash_seed: int, padding: int, turns: str = ""
    ) -> Order:
        return Order(
            python=self._interpreters[python].executable,
            plan=plan,
            hash_seed=hash_seed,
            padding=padding,
            silence_s=SILENCE_FACTOR * self._hang_timeout_s,
            cpus=self._cpus,
            turns=turns,
        )


def arm_plan(arm: Arm) -> dict[str, Any]:
    return {
        "arm": arm.label,
        "factory": arm.factory,
        "arguments": arm.arguments,
        "capabilities": arm.capabilities,
    }


def job_plan(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "benchmark": benchmark.id,
        "scenario": benchmark.scenario,
        "params": benchmark.params,
        "iterations": {},
        "blocks": [],
    }
