"""What a pytest session measures, as a run file: the same records as `bench run` writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from loopgauge.harness import environment, interpreter, schedule
from loopgauge.harness.manager import stamped
from loopgauge.harness.model import (
    AnyRecord,
    Arm,
    Benchmark,
    End,
    Environment,
    Event,
    Header,
    Interpreter,
    Load,
    Measure,
    Plan,
    Worker,
)
from loopgauge.harness.pytesting.measuring import SLOT_S
from loopgauge.harness.request import REFERENCE
from loopgauge.harness.store import RunFile, RunWriter
from loopgauge.loops import registry
from loopgauge.loops.spec import LoopSpec

TWIN = f"{REFERENCE}~aa"


class Recorder:
    """One session's run file. Nothing is written before the first figure, and every benchmark's
    samples are on disk before the next one's; without `finish` the file says that it was cut."""

    def __init__(self, path: Path, header: Header, round_number: int) -> None:
        self.file = RunFile(path, header)
        self.process = round_number + 1
        self._round = round_number
        self.begun = False  # with the first figure
        self._writer: RunWriter | None = None

    def add(self, records: Sequence[AnyRecord]) -> None:
        if not records:
            return
        for record in records:
            if isinstance(record, Event):
                stamped(record)
        if self._writer is None:
            self._writer = RunWriter(self.file.path)
        if not self.begun:
            self._writer.append([self.file.header, stamped(self._process())])
            self.begun = True
        self._writer.append(records)
        for record in records:
            self.file.add(record)

    def finish(self, before: Load) -> None:
        after = environment.load()
        self.add(
            [
                End(
                    utc=environment.utc_now(),
                    load=after,
                    steal=environment.steal_share(before, after),
                    samples=len(self.file.samples),
                )
            ]
        )

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _process(self) -> Event:
        """This process, as the event that every worker process has."""
        seed = os.environ.get("PYTHONHASHSEED", "")
        arms = [arm.label for arm in self.file.header.arms]
        worker = Worker(
            round=self._round,
            design="hybrid",
            creation=arms,
            benchmarks=[benchmark.id for benchmark in self.file.header.benchmarks],
            hash_seed=int(seed) if seed.isdigit() else 0,
            padding=len(os.environ.get(environment.PADDING_VARIABLE, "")),
            python=self.file.header.arms[0].python,
            pid=os.getpid(),
        )
        return Event(event="worker", process=self.process, worker=worker)


def header_of(
    run: str,
    benchmarks: Mapping[str, tuple[str, Measure]],
    specs: Mapping[str, LoopSpec],
    *,
    seed: int,
    rounds: int,
    seconds: float,
    command: Sequence[str],
) -> Header:
    """`benchmarks`: id -> its summary and what it measures. `specs`: label -> loop, in order."""
    python = msgspec.convert(interpreter.describe(), Interpreter)
    key = ".".join(python.version.split(".")[:2]) + ("t" if python.free_threaded else "")
    arms = [arm_of(label, spec, key) for label, spec in specs.items()]
    return Header(
        run=run,
        created=environment.utc_now(),
        command=list(command),
        seed=seed,
        path=[part for part in sys.path if part],
        reference=REFERENCE if REFERENCE in specs else arms[0].label,
        arms=arms,
        benchmarks=[
            Benchmark(id=name, scenario=name, summary=summary, unit="call", measure=measure)
            for name, (summary, measure) in benchmarks.items()
        ],
        plan=Plan(
            method=schedule.METHOD,
            rounds=rounds,
            batch=len(benchmarks),
            slot_s=SLOT_S,
            warmup=1,
            budget_s=seconds * len(benchmarks),
            expected_s=seconds * len(benchmarks),
            hang_timeout_s=0.0,
        ),
        environment=Environment(
            machine=environment.machine(),
            interpreters={key: python},
            variables=environment.relevant_variables(),
            load=environment.load(),
        ),
    )


def arm_of(label: str, spec: LoopSpec, python: str) -> Arm:
    state = registry.availability(spec)
    return Arm(
        label=label,
        loop=spec.name,
        factory=spec.factory,
        role="aa" if label == TWIN else "reference" if label == REFERENCE else "candidate",
        arguments=list(spec.arguments),
        distribution=spec.distribution,
        version=state.version,
        python=python,
        capabilities=sorted(spec.capabilities),
        available=state.ok,
        reason=state.reason,
    )


def with_company(loops: Sequence[str], *, alone: bool) -> tuple[str, ...]:
    """Who takes turns when these loops are asked for: stock asyncio, which every ratio refers to,
    and where something is compared a second one of it, which shows what a difference between equals
    looks like here."""
    if alone or list(loops) == [REFERENCE]:
        return tuple(loops)
    return (*dict.fromkeys([*loops, REFERENCE]), TWIN)


def spec_of(label: str) -> LoopSpec:
    """Raises UnknownLoop."""
    return registry.resolve(REFERENCE if label == TWIN else label)
