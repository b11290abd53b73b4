"""A small run file with real records: two loops and the copy, invented times."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from loopgauge.harness import model
from report_testing import samples

COST = {"epoll": 200, "asyncio": 1000, "asyncio~aa": 1000, "uvloop": 500}
OPERATIONS = 1000
BLOCKS = 6


def write_run(path: Path, processes: int = 8, benchmarks: tuple[str, ...] = ("throughput.sleep0",)):
    header = samples.header([*COST])
    header.benchmarks = [
        model.Benchmark(id=name, scenario=name, summary="A step", unit="step")
        for name in benchmarks
    ]
    draw = random.Random(3)
    records: list[model.AnyRecord] = [header]
    for process in range(processes):
        for name in benchmarks:
            records += [sample(process, name, arm, cost, draw) for arm, cost in COST.items()]
    records.append(model.End(utc="2026-11-21T15:45:00Z"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


def sample(process: int, name: str, arm: str, cost: int, draw: random.Random) -> model.Sample:
    times = [round(cost * OPERATIONS * draw.lognormvariate(0, 0.004)) for _ in range(BLOCKS)]
    return model.Sample(
        process=process,
        round=process,
        benchmark=name,
        arm=arm,
        design="hybrid",
        n=[OPERATIONS] * BLOCKS,
        block=[*range(BLOCKS)],
        slot=[*range(BLOCKS)],
        wall_ns=times,
        process_ns=times,
        thread_ns=times,
        nivcsw=[0] * BLOCKS,
    )
