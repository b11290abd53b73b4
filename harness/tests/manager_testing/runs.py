"""A run with the scripted worker: arms by name, benchmarks with deeds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loopgauge.harness import manager
from loopgauge.harness.model import Arm, Benchmark, Environment, Interpreter, Sample
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import Progress, RunRequest
from loopgauge.harness.runner import Local
from loopgauge.harness.store import RunFile, read_run
from loopgauge.harness.subject import Subject

# -I -S: no site packages to look through, which is most of what such a process costs
FAKE_WORKER = ("-I", "-S", str(Path(__file__).with_name("fake_worker.py")))
ROUNDS = 6


def arm(label: str, factory: str = "fake:loop") -> Arm:
    role: Any = {"asyncio": "reference", "asyncio~aa": "aa"}.get(label, "candidate")
    return Arm(label=label, loop=label, factory=factory, version="1", python="3", role=role)


def subject(arms: Sequence[Arm], benchmarks: Sequence[Benchmark]) -> Subject:
    interpreter = Interpreter(executable=sys.executable, version="3")
    return Subject(
        arms=[arm("asyncio"), *arms, arm("asyncio~aa")],
        benchmarks=list(benchmarks),
        environment=Environment(interpreters={"3": interpreter}),
        design=None,
    )


def benchmark(name: str = "fake.work", design: Any = "hybrid", **params: Any) -> Benchmark:
    return Benchmark(id=name, scenario=name, params=params, design=design)


def run(
    what: Subject,
    out: Path,
    progress: Callable[[Progress], None] = lambda progress: None,
    *,
    seed: int = 1,
    clock: Callable[[], float] = time.monotonic,
    **request: Any,
) -> RunFile:
    """A small budget keeps the blocks few; the scripted worker does not use it up."""
    fixed = {"setting": "quick", "rounds": ROUNDS}
    asked = RunRequest(out=out, seed=seed, **{**fixed, **request})
    tracker = Tracker(progress, 75.0, clock)
    return read_run(manager.run_subject(asked, what, tracker, Local(FAKE_WORKER)))


def resume(path: Path) -> RunFile:
    return read_run(manager.run(RunRequest(resume=path), runner=Local(FAKE_WORKER)))


def keys(samples: Sequence[Sample]) -> list[tuple[int, str, str]]:
    return sorted((sample.round, sample.benchmark, sample.arm) for sample in samples)


def all_keys(what: Subject) -> list[tuple[int, str, str]]:
    return sorted(
        (number, b.id, a.label)
        for number in range(ROUNDS)
        for b in what.benchmarks
        for a in what.arms
    )
