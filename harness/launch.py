"""Makes the plan of one worker process and starts it on the right interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loopgauge.harness import environment, units
from loopgauge.harness.model import Arm, Benchmark, Header, Interpreter
from loopgauge.harness.units import Unit
from loopgauge.harness.worker.plan import SCHEMA, AnyMessage
from loopgauge.harness.worker_process import Launch, Outcome, run_worker

# The worker ends itself, with a stack, after 1.25 times its limit; the manager waits longer.
SILENCE_FACTOR = 2.0


class Launcher:
    def __init__(
        self,
        interpreters: Mapping[str, Interpreter],
        program: Sequence[str],
        path: Sequence[str],
        cpus: Sequence[int] | None,
        hang_timeout_s: float,
    ) -> None:
        self._interpreters = interpreters
        self._program = program
        self._path = list(path)
        self._cpus = cpus
        self._hang_timeout_s = hang_timeout_s

    def probe(
        self,
        arm: Arm,
        benchmarks: Sequence[Benchmark],
        slot_s: float,
        listener: Callable[[AnyMessage], None],
    ) -> Outcome:
        plan = {
            **self._envelope(0, 0, "probe", arm.python),
            "arms": [arm_plan(arm)],
            "jobs": [
                {**job_plan(benchmark), "min_time": max(slot_s, benchmark.slot_s)}
                for benchmark in benchmarks
            ],
        }
        return self._run(arm.python, plan, 1, 0, listener, lambda pid: None)

    def measure(
        self,
        header: Header,
        unit: Unit,
        process: int,
        listener: Callable[[AnyMessage], None],
        started: Callable[[int], None],
    ) -> Outcome:
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
                    "blocks": units.blocks(header, unit, job),
                }
            )
        python = arms[unit.creation[0]].python
        plan = {
            **self._envelope(process, header.seed, unit.design, python),
            "gc": header.plan.gc,
            "arms": [arm_plan(arms[label]) for label in unit.creation],
            "jobs": jobs,
        }
        return self._run(python, plan, unit.hash_seed, unit.padding, listener, started)

    def _envelope(self, process: int, seed: int, design: str, python: str) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "process": process,
            "seed": seed,
            "design": design,
            "hang_timeout": self._hang_timeout_s,
            "path": [*self._path, *self._interpreters[python].path],
        }

    def _run(
        self,
        python: str,
        plan: Mapping[str, Any],
        hash_seed: int,
        padding: int,
        listener: Callable[[AnyMessage], None],
        started: Callable[[int], None],
    ) -> Outcome:
        launch = Launch(
            command=[self._interpreters[python].executable, *self._program],
            plan=plan,
            environment=environment.worker_environment(hash_seed, padding),
            silence_s=SILENCE_FACTOR * self._hang_timeout_s,
            cpus=self._cpus,
        )
        return run_worker(launch, listener, started)


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
