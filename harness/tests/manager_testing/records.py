"""Records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loopgauge.harness.model import (
    Allocation,
    Arm,
    Benchmark,
    End,
    Environment,
    Event,
    Header,
    Interpreter,
    Plan,
    Sample,
)
from loopgauge.harness.store import RunFile

ARMS = ("asyncio", "fast", "asyncio~aa")


def header(
    arms: Sequence[str] = ARMS,
    benchmarks: Sequence[Benchmark] = (Benchmark(id="fake.work", scenario="fake.work"),),
    **fields: Any,
) -> Header:
    roles = {"asyncio": "reference", "asyncio~aa": "aa", "floor": "floor"}
    made: list[Arm] = []
    for label in arms:
        usual = "native" if label.startswith("native:") else "candidate"
        role: Any = roles.get(label, usual)
        made.append(Arm(label=label, loop=label, factory="x:y", python="3", role=role))
    plan = Plan(
        method="test",
        rounds=8,
        batch=10,
        slot_s=0.004,
        warmup=1,
        budget_s=75,
        expected_s=10,
        hang_timeout_s=10,
        allocations={b.id: Allocation(blocks=4, block_s=0.01) for b in benchmarks},
    )
    environment = Environment(
        interpreters={"3": Interpreter(executable="python", version="3", optimized=True)}
    )
    given = {"run": "r", "created": "now", "seed": 1, "plan": plan, "environment": environment}
    return Header(**{**given, "arms": made, "benchmarks": list(benchmarks), **fields})


def sample(
    arm: str = "asyncio",
    round_number: int = 0,
    costs: Sequence[float] = (1000, 1000, 1000, 1000),
    benchmark: str = "fake.work",
    process: int | None = None,
    **fields: Any,
) -> Sample:
    """`costs`: ns per operation of each block."""
    total = [round(cost * 100) for cost in costs]
    given: dict[str, Any] = {
        "process": round_number + 1 if process is None else process,
        "round": round_number,
        "benchmark": benchmark,
        "arm": arm,
        "design": "hybrid",
        "n": [100] * len(total),
        "block": list(range(len(total))),
        "slot": list(range(len(total))),
        "wall_ns": total,
        "process_ns": total,
        "thread_ns": total,
        "nivcsw": [0] * len(total),
    }
    return Sample(**{**given, **fields})


def run_of(
    costs: Mapping[str, Sequence[float]],
    benchmark: Benchmark | None = None,
    events: Sequence[Event] = (),
    complete: bool = True,
    **fields: Any,
) -> RunFile:
    """One cost per process and arm."""
    benchmark = benchmark or Benchmark(id="fake.work", scenario="fake.work")
    samples = [
        sample(arm, number, [cost] * 4, benchmark.id, value=[cost] * 4)
        for arm, of_processes in costs.items()
        for number, cost in enumerate(of_processes)
    ]
    ends = [End(utc="now")] if complete else []
    head = header(list(costs), [benchmark], **fields)
    return RunFile(Path("run.jsonl"), head, samples, list(events), ends)
