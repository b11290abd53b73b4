"""A run file as large as asked for, with invented figures.

Every record is one that `bench run` could have written, so whatever reads run files can be tried
at sizes that would take hours to measure.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from loopgauge.harness import model

SPEED = {"asyncio": 1.0, "epoll": 0.22, "uvloop": 0.52, "zuvloop": 0.27, "blazio": 0.23}
FAMILIES = ("throughput", "timer", "io", "signal")
SIZES = ({}, {"size": 100}, {"size": 10_000}, {"size": 100_000})
OPERATIONS = 1_000
SLOTS = 10
RATE = 10_000


def write(path: Path, scenarios: int, loops: int, processes: int, seed: int = 1) -> Path:
    """`loops` counts the reference; beside them are its copy, a floor and a native loop."""
    draw = random.Random(seed)
    benchmarks = [benchmark(number) for number in range(scenarios)]
    arms = [*arms_of(loops)]
    head = header(arms, benchmarks, processes, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for record in records(head, draw):
            file.write(msgspec.json.encode(record) + b"\n")
    return path


def benchmark(number: int) -> model.Benchmark:
    """Four families; every scenario of the first half of them comes in four sizes."""
    family = FAMILIES[number % len(FAMILIES)]
    scenario = f"{family}.work{number // (len(FAMILIES) * len(SIZES))}"
    params = SIZES[number // len(FAMILIES) % len(SIZES)]
    said = ",".join(f"{key}={value}" for key, value in params.items())
    return model.Benchmark(
        id=f"{scenario}[{said}]" if said else scenario,
        scenario=scenario,
        params=dict(params),
        values={"size": 1_000, **params},
        summary="invented work of a certain size",
        unit="message",
        rules=["SOON-001", "SOON-002", "TIME-003"],
        floor=family == "io",
        native=family in ("io", "timer"),
    )


def arms_of(loops: int) -> Iterator[model.Arm]:
    names = [*SPEED, *(f"loop{number}" for number in range(len(SPEED), loops))][:loops]
    for name in names:
        role = "reference" if name == "asyncio" else "candidate"
        yield arm(name, role)
    yield arm("asyncio~aa", "aa")
    yield arm("floor", "floor")
    yield arm("native:epoll", "native")


def arm(label: str, role: str) -> model.Arm:
    return msgspec.convert(
        {
            "label": label,
            "loop": label.removesuffix("~aa"),
            "factory": f"{label}:new_event_loop",
            "version": "1.0.0",
            "python": "3.14",
            "role": role,
        },
        model.Arm,
    )


def header(
    arms: list[model.Arm], benchmarks: list[model.Benchmark], processes: int, seed: int
) -> model.Header:
    python = model.Interpreter(
        executable="python3.14", version="3.14.0", optimized=True, loopgauge="0.0.0"
    )
    return model.Header(
        run=f"simulated-{len(benchmarks)}-{len(arms)}-{processes}",
        created="2026-01-01T00:00:00Z",
        command=["bench", "run", "--full"],
        tiers=["python", "native", "memory"],
        seed=seed,
        arms=arms,
        benchmarks=benchmarks,
        plan=model.Plan(
            method="1",
            rounds=processes,
            batch=4,
            slot_s=0.004,
            warmup=1,
            budget_s=900,
            expected_s=900,
            hang_timeout_s=20,
        ),
        environment=model.Environment(
            machine=model.Machine(cpu_model="Simulated CPU", cpus_logical=2, kernel="6.1.0"),
            interpreters={"3.14": python},
        ),
    )


def records(head: model.Header, draw: random.Random) -> Iterator[model.AnyRecord]:
    yield head
    costs = {work.id: base_cost(work, draw) for work in head.benchmarks}
    taking_part = {
        work.id: [arm for arm in head.arms if takes_part(arm, work)] for work in head.benchmarks
    }
    for arm_ in head.arms[-5:-3]:  # the last two loops each fail at something
        yield model.Event(
            event="invalid",
            arm=arm_.label,
            benchmark=draw.choice(head.benchmarks).id,
            reason="lost 3 of 1000 messages",
        )
    for process in range(head.plan.rounds):
        for work in head.benchmarks:
            for arm_ in taking_part[work.id]:
                cost = costs[work.id] * speed(arm_) * draw.lognormvariate(0, 0.02)
                yield sample(process, work, arm_.label, cost, draw)
    for work in head.benchmarks:
        for arm_ in taking_part[work.id]:
            if arm_.role in ("candidate", "reference"):
                yield from memory(work, arm_.label, draw)
    yield model.End(utc="2026-01-01T00:15:00Z")


def takes_part(arm: model.Arm, work: model.Benchmark) -> bool:
    return {"floor": work.floor, "native": work.native}.get(arm.role, True)


def base_cost(work: model.Benchmark, draw: random.Random) -> float:
    """ns per message of stock asyncio: grows with the size, as copying does."""
    return 800 * draw.lognormvariate(0, 0.1) + 0.05 * work.params.get("size", 1_000)


def speed(arm: model.Arm) -> float:
    """Cost in units of stock asyncio's."""
    if arm.role in ("floor", "native"):
        return 0.1
    known = SPEED.get(arm.loop)
    return 0.3 + 0.1 * int(arm.loop.removeprefix("loop")) if known is None else known


def sample(
    process: int, work: model.Benchmark, arm: str, cost: float, draw: random.Random
) -> model.Sample:
    times = [round(cost * OPERATIONS * draw.lognormvariate(0, 0.01)) for _ in range(SLOTS)]
    return model.Sample(
        process=process,
        round=process,
        benchmark=work.id,
        arm=arm,
        design="hybrid",
        n=[OPERATIONS] * SLOTS,
        block=[*range(SLOTS)],
        slot=[*range(SLOTS)],
        wall_ns=times,
        process_ns=times,
        thread_ns=times,
        nivcsw=[0] * SLOTS,
        open_loop=arrivals(cost, draw) if work.id == "io.work0" else None,
    )


def arrivals(cost: float, draw: random.Random) -> model.OpenLoop:
    """A thousand latencies in the buckets of harness/latency.py; those that were due earlier than
    sent have a longer tail."""
    service = sorted(draw.lognormvariate(math.log(40 * cost), 0.3) for _ in range(1_000))
    corrected = sorted(ns * draw.choice((1, 1, 1, 1, 2)) for ns in service)
    return model.OpenLoop(
        asked_per_second=RATE,
        due=1_000,
        answered=1_000,
        seconds=0.1,
        late_max_ns=20_000,
        corrected=histogram(corrected),
        service=histogram(service),
        corrected_max_ns=round(corrected[-1]),
        service_max_ns=round(service[-1]),
    )


def histogram(values: list[float]) -> list[tuple[int, int]]:
    """The inverse of harness.latency.upper_edge."""
    counts: dict[int, int] = {}
    for value in values:
        shift = max(int(value).bit_length() - 11, 0)
        bucket = (int(value) >> shift) + shift * 1024
        counts[bucket] = counts.get(bucket, 0) + 1
    return sorted(counts.items())


def memory(work: model.Benchmark, arm: str, draw: random.Random) -> Iterator[model.Metric]:
    one = draw.uniform(900, 4_000)
    peak = 2e6 * draw.lognormvariate(0, 0.2)
    for name, unit, value, parts in (
        ("rss", "byte/connection", one, {}),
        ("peak_rss", "byte", peak, {"set up": peak / 2, "left after the runs": peak / 8}),
    ):
        yield model.Metric(
            benchmark=work.id, arm=arm, metric=name, unit=unit, value=value, by_name=parts
        )
