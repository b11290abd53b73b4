"""Runs to be stored, and stores to put them into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loopgauge.harness.history.model import Entry, MachineKind, Query, SeriesKey, StoredRun
from loopgauge.harness.history.opening import init_store, open_store
from loopgauge.harness.history.sql import SqlHistory
from loopgauge.harness.model import (
    Arm,
    Benchmark,
    End,
    Environment,
    Header,
    Interpreter,
    Machine,
    Plan,
    Sample,
)
from loopgauge.harness.store import RunWriter

XEON = MachineKind(cpu_model="Xeon", kernel="6.1", python="3.13.0", build_kind="plain")
RYZEN = MachineKind(cpu_model="Ryzen", kernel="6.8", python="3.14.8", build_kind="pgo+lto")


def key(**fields: Any) -> SeriesKey:
    given = {"benchmark": "fake.work[n=10]", "loop": "fast", "metric": "ratio", "machine": XEON}
    return SeriesKey(**{**given, **fields})


def stored(number: int, value: float | None = 0.5, **fields: Any) -> StoredRun:
    series = fields.pop("series", key())
    entry = Entry(series=series, arm="fast", value=value, low=0.4, high=0.6, version="1.0")
    given = {
        "run": f"run-{number}",
        "name": "x.jsonl",
        "created": f"2026-01-01T00:00:{number:02}Z",
        "content": f"hash-{number}",
        "size": 10,
        "entries": [entry],
    }
    return StoredRun(**{**given, **fields})


def values(history: SqlHistory, **query: Any) -> list[list[float | None]]:
    return [[point.value for point in one.points] for one in history.series(Query(**query))]


PLAN = Plan(
    method="1", rounds=8, batch=1, slot_s=0.004, warmup=1, budget_s=1.0, expected_s=1.0,
    hang_timeout_s=2.0,
)  # fmt: skip


def make_run(path: Path, number: int = 1, factor: float = 0.5, cpu: str = "Xeon") -> Path:
    """A run of eight processes: `fast` takes `factor` of what asyncio takes."""
    arms = [
        Arm(label=name, loop=name, factory="x:y", python="3", version="1.0", role=role)
        for name, role in (("asyncio", "reference"), ("fast", "candidate"))
    ]
    header = Header(
        run=f"run-{number}",
        created=f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z",
        seed=number,
        arms=arms,
        benchmarks=[Benchmark(id="fake.work", scenario="fake.work")],
        plan=PLAN,
        environment=Environment(
            machine=Machine(cpu_model=cpu, kernel="6.1"),
            interpreters={"3": Interpreter(executable="python", version="3.13.0")},
        ),
    )
    samples = [
        Sample(
            process=n, round=n, benchmark="fake.work", arm=arm.label, design="hybrid",
            n=[100] * 4, block=[0, 1, 2, 3], slot=[0, 1, 2, 3],
            wall_ns=[cost] * 4, process_ns=[cost] * 4, thread_ns=[cost] * 4,
        )
        for n in range(8)
        for arm in arms
        for cost in [round((100_000 + 37 * n) * (factor if arm.label == "fast" else 1))]
    ]  # fmt: skip
    with RunWriter(path) as writer:
        writer.append([header, *samples, End(utc="now")])
    return path


Opener = Callable[[], SqlHistory]


@pytest.fixture(params=["sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens one store, as often as it is called; in each kind of database."""
    store = str(tmp_path / "folder" / "history.sqlite")
    if request.param == "postgresql":
        store = request.getfixturevalue("postgres_url")
    init_store(store)
    return lambda: open_store(store)
