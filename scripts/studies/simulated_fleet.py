"""Run files of many hosts, as large as real ones, with invented figures.

Each host has its own CPU, kernel and Python, its own speed and noise, and of the built-in loop's
advantage a share of its own; one in a hundred has the opposite effect. The same seed gives the same
bytes. Hosts are written by two processes: 1 000 of them are 5 GB.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import simulated_run

from loopgauge.harness import model

CPUS = 10
KERNELS = ("6.1.0", "6.8.0", "6.12.0")
PYTHONS = ("3.11.9", "3.12.7", "3.13.1", "3.14.0")
ARMS = (("asyncio", "reference"), ("asyncio~aa", "aa"), ("epoll", "candidate"))
SLOTS = 8
OPERATIONS = 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def write(folder: Path, hosts: int, benchmarks: int, processes: int, seed: int = 1) -> Path:
    """One file a host in `folder`, named by the host. Whole files that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    one = partial(write_host, folder, benchmarks, processes, seed)
    with ProcessPoolExecutor(2) as pool:
        for _ in pool.map(one, range(hosts), chunksize=8):
            pass
    return folder


def write_host(folder: Path, benchmarks: int, processes: int, seed: int, host: int) -> None:
    path = folder / f"host-{host:04}.jsonl"
    if path.exists():
        return
    draw = np.random.default_rng([seed, host])
    head = header(host, benchmarks, processes, seed)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        file.write(msgspec.json.encode(head) + b"\n")
        for process, times in enumerate(slot_times(draw, host, benchmarks, processes)):
            for record in samples(head, process, times):
                file.write(msgspec.json.encode(record) + b"\n")
        file.write(msgspec.json.encode(model.End(utc=head.created)) + b"\n")
    unfinished.rename(path)


def header(host: int, benchmarks: int, processes: int, seed: int) -> model.Header:
    works = [simulated_run.benchmark(number) for number in range(benchmarks)]
    for work in works:
        work.native = work.floor = False
    arms = [simulated_run.arm(label, role) for label, role in ARMS]
    head = simulated_run.header(arms, works, processes, seed)
    version = PYTHONS[host % len(PYTHONS)]
    head.run = f"simulated-{seed}-{host:04}"
    head.created = (START + timedelta(seconds=7 * host)).isoformat()
    head.tiers = ["python"]
    head.environment.machine.cpu_model = f"Simulated CPU {host % CPUS}"
    head.environment.machine.kernel = KERNELS[host % len(KERNELS)]
    head.environment.machine.hostname_hash = f"{host:016x}"
    head.environment.interpreters["3.14"].version = version
    return head


def slot_times(draw: np.random.Generator, host: int, benchmarks: int, processes: int) -> np.ndarray:
    """ns of a slot by process, benchmark, arm and slot."""
    speed = draw.lognormal(0, 0.2)
    noise = draw.uniform(0.005, 0.03)
    effect = draw.normal(-1.5, 0.1, benchmarks)
    if host % 100 == 99:
        effect = -effect
    base = np.log(800 * speed) + draw.normal(0, 0.3, benchmarks)
    level = np.stack([base, base, base + effect], axis=-1)
    of_process = draw.normal(0, noise, (processes, benchmarks, len(ARMS)))
    of_slot = draw.normal(0, 0.01, (processes, benchmarks, len(ARMS), SLOTS))
    costs = np.exp((level + of_process)[..., None] + of_slot)
    return np.rint(costs * OPERATIONS).astype(np.int64)


def samples(head: model.Header, process: int, times: np.ndarray) -> list[model.Sample]:
    slots = [*range(SLOTS)]
    return [
        model.Sample(
            process=process,
            round=process,
            benchmark=work.id,
            arm=arm.label,
            design="hybrid",
            n=[OPERATIONS] * SLOTS,
            block=slots,
            slot=slots,
            wall_ns=taken,
            process_ns=taken,
            thread_ns=taken,
            nivcsw=[0] * SLOTS,
        )
        for work, arms in zip(head.benchmarks, times.tolist(), strict=True)
        for arm, taken in zip(head.arms, arms, strict=True)
    ]
