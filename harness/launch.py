"""Makes the plan of one worker process and starts it on the right interpreter."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from loopgauge.harness import environment, units
from loopgauge.harness.model import Arm, Benchmark, Header, Interpreter
from loopgauge.harness.units import Unit
from loopgauge.harness.worker.plan import SCHEMA, AnyMessage
from loopgauge.harness.worker_process import Launch, Outcome, run_worker, run_workers

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
        return run_worker(self._made(arm.python, plan, hash_seed=1, padding=0), listener)

    def measure(
        self,
        header: Header,
        together: Sequence[Unit],
        processes: Sequence[int],
        listeners: Sequence[Callable[[AnyMessage], None]],
        started: Sequence[Callable[[int], None]],
    ) -> list[Outcome]:
        """One worker per unit; several run side by side and take turns."""
        with turn_pipes([unit.creation[0] for unit in together]) as turns:
            launches = [
                self._launch(header, together, unit, process, turns)
                for unit, process in zip(together, processes, strict=True)
            ]
            return run_workers(launches, listeners, started)

    def _launch(
        self,
        header: Header,
        together: Sequence[Unit],
        unit: Unit,
        process: int,
        turns: Mapping[str, TurnPipe],
    ) -> Launch:
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
        inherited: list[int] = []
        if turns:
            outbound = {arm: pipe.write for arm, pipe in turns.items() if arm != own}
            plan["turns"] = {"inbound": turns[own].read, "outbound": outbound}
            inherited = [turns[own].read, *outbound.values()]
        return self._made(arms[own].python, plan, unit.hash_seed, unit.padding, inherited)

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
        self,
        python: str,
        plan: Mapping[str, Any],
        hash_seed: int,
        padding: int,
        inherited: Sequence[int] = (),
    ) -> Launch:
        return Launch(
            command=[self._interpreters[python].executable, *self._program],
            plan=plan,
            environment=environment.worker_environment(hash_seed, padding),
            silence_s=SILENCE_FACTOR * self._hang_timeout_s,
            cpus=self._cpus,
            inherited=inherited,
        )


class TurnPipe(NamedTuple):
    """Whoever writes a byte gives the turn to whoever reads it."""

    read: int
    write: int


@contextlib.contextmanager
def turn_pipes(arms: Sequence[str]) -> Iterator[dict[str, TurnPipe]]:
    """By arm; none for one that is alone. The workers have copies: ours are closed at the end."""
    pipes: dict[str, TurnPipe] = {}
    try:
        if len(arms) > 1:
            for arm in arms:
                pipes[arm] = TurnPipe(*os.pipe())
        yield pipes
    finally:
        for pipe in pipes.values():
            os.close(pipe.read)
            os.close(pipe.write)


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
