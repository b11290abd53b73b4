"""Folders of fleet runs with invented figures, as `bench run --on` would have written them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loopgauge.harness import model
from loopgauge.harness.fleet.folder import FILE
from loopgauge.harness.fleet.model import Asked, FleetEvent, FleetHeader, FleetHost, HostState

BENCHMARKS = ("throughput.sleep0", "throughput.gather", "timer.sleep", "timer.wait_for")
CREATED = "2026-01-01T00:00:00Z"
OPERATIONS = 100_000
CPUS = ("AMD EPYC 7B13", "Intel Xeon Platinum 8481C", "Ampere Altra")


@dataclass
class Host:
    """`ratios`: by loop, or by (loop, benchmark), the cost in units of stock asyncio's."""

    key: str
    ratios: Mapping[str | tuple[str, str], float]
    cpu: str = CPUS[0]
    python: str = "3.13.5"
    speed: float = 1000.0  # ns of stock asyncio
    noise: float = 0.01  # of a process
    processes: int = 8
    state: HostState = "done"
    reason: str = ""
    twin: float = 1.0  # the second instance of stock asyncio
    without: Sequence[str] = field(default_factory=list)  # loops that cannot be loaded here


def write_fleet(
    folder: Path,
    hosts: Sequence[Host],
    benchmarks: Sequence[str] = BENCHMARKS,
    *,
    setting: model.Setting = "quick",
    events: Sequence[FleetEvent] = (),
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    loops = list(dict.fromkeys(name_of(key) for host in hosts for key in host.ratios))
    header = FleetHeader(
        run=folder.name,
        created=CREATED,
        command=["bench", "run", "--quick", "--on", "dask://127.0.0.1:8786"],
        seed=7,
        asked=Asked(
            benchmarks=[(name, {}) for name in benchmarks],
            arms=["asyncio", *loops],
            setting=setting,
            tiers=["python"],
        ),
    )
    records: list[msgspec.Struct] = [header]
    for host in hosts:
        begun = host.state != "left_out" and bool(host.ratios)
        records.append(
            FleetHost(
                key=host.key,
                state=host.state,
                file=f"{host.key}.jsonl" if begun else "",
                reason=host.reason,
                cpu_model=host.cpu,
                kernel="6.1.0",
                python=host.python,
                build_kind="release",
            )
        )
        if begun:
            write_run(folder / f"{host.key}.jsonl", host, loops, benchmarks, setting)
    write_lines(folder / FILE, [*records, *events])
    return folder


def name_of(key: str | tuple[str, str]) -> str:
    return key if isinstance(key, str) else key[0]


def write_run(
    file: Path,
    host: Host,
    loops: Sequence[str],
    benchmarks: Sequence[str],
    setting: model.Setting,
) -> None:
    draw = random.Random(host.key)
    short = ".".join(host.python.split(".")[:2])
    arms = [
        arm("asyncio", "reference", short),
        *(arm(name, "candidate", short, lost=name in host.without) for name in loops),
        arm("asyncio~aa", "aa", short),
    ]
    known = [
        model.Benchmark(id=name, scenario=name, summary=f"what {name} does", unit="step")
        for name in benchmarks
    ]
    records: list[msgspec.Struct] = [header(host, arms, known, setting, short)]
    records += [
        model.Event(event="unavailable", arm=name, reason="no wheel fits", final=True)
        for name in host.without
    ]
    for process in range(host.processes):
        for benchmark in benchmarks:
            drift = draw.lognormvariate(0, 0.05)
            for one in arms:
                if one.available:
                    ratio = {"asyncio": 1.0, "asyncio~aa": host.twin}.get(one.label)
                    if ratio is None:
                        ratio = host.ratios.get((one.label, benchmark)) or host.ratios[one.label]
                    noise = draw.lognormvariate(0, host.noise) if one.role != "reference" else 1
                    cost = host.speed * drift * ratio * noise
                    records.append(sample(process, benchmark, one.label, cost))
    if host.state == "done":
        records.append(model.End(utc=CREATED))
    write_lines(file, records)


def arm(label: str, role: str, python: str, *, lost: bool = False) -> model.Arm:
    return msgspec.convert(
        {
            "label": label,
            "loop": label.removesuffix("~aa"),
            "factory": f"{label}:new_event_loop",
            "version": "1.0.0",
            "python": python,
            "role": role,
            "available": not lost,
            "reason": "no wheel fits" if lost else "",
        },
        model.Arm,
    )


def header(
    host: Host,
    arms: list[model.Arm],
    benchmarks: list[model.Benchmark],
    setting: model.Setting,
    short: str,
) -> model.Header:
    python = model.Interpreter(
        executable="python3",
        version=host.python,
        optimized=True,
        build_kind="release",
        loopgauge="0.0.0",
    )
    return model.Header(
        run=host.key,
        created=CREATED,
        command=["bench", "run"],
        setting=setting,
        seed=7,
        arms=arms,
        benchmarks=benchmarks,
        plan=model.Plan(
            method="1",
            rounds=host.processes,
            batch=4,
            slot_s=0.004,
            warmup=1,
            budget_s=60,
            expected_s=60,
            hang_timeout_s=20,
        ),
        environment=model.Environment(
            machine=model.Machine(cpu_model=host.cpu, cpus_logical=8, kernel="6.1.0"),
            interpreters={short: python},
        ),
    )


def sample(process: int, benchmark: str, arm: str, cost: float) -> model.Sample:
    slots = 2
    times = [round(cost * OPERATIONS)] * slots
    return model.Sample(
        process=process,
        round=process,
        benchmark=benchmark,
        arm=arm,
        design="hybrid",
        n=[OPERATIONS] * slots,
        block=[*range(slots)],
        slot=[*range(slots)],
        wall_ns=times,
        process_ns=times,
        thread_ns=times,
        nivcsw=[0] * slots,
    )


def write_lines(file: Path, records: Sequence[msgspec.Struct]) -> None:
    file.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
