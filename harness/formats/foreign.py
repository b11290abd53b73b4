"""From the figures of a foreign file to a run as if we had made it.

What the file does not tell stays empty: unknown, not zero. There is no A/A arm, so every verdict of
such a run is advisory, and its processes were not interleaved with anything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loopgauge.harness.errors import NotARunFile
from loopgauge.harness.model import (
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
from loopgauge.harness.request import REFERENCE
from loopgauge.harness.store import RunFile

# A slot's time is kept in whole nanoseconds. Of a shorter one the cost is kept as a value instead,
# so that rounding changes nothing by more than 0.001 %.
SHORT_NS = 50_000
LONG = 2.0**63  # and a run file holds 64 bits

Typed = TypeVar("Typed")


@dataclass
class Process:
    """One process of one benchmark x arm; entry i of every list belongs to the same slot. Times are
    ns per operation; None: not measured."""

    benchmark: str
    arm: str
    round: int
    n: list[int]
    number: int | None = None  # shared by those of one process; None: a process of its own
    wall: list[float] | None = None
    cpu: list[float] | None = None
    value: list[float] | None = None  # in the benchmark's unit

    def is_sound(self) -> bool:
        """Every cost has a logarithm, and every slot's time fits a run file."""
        return all(
            are_costs(costs) and max(cost * n for cost, n in zip(costs, self.n, strict=True)) < LONG
            for costs in (self.wall, self.cpu, self.value)
            if costs is not None
        )

    def totals(self, costs: list[float] | None) -> list[int]:
        """Nanoseconds of whole slots; zeros where they are not known."""
        if costs is None:
            return [0] * len(self.n)
        return [round(cost * n) for cost, n in zip(costs, self.n, strict=True)]


@dataclass
class Reading:
    """Collects what a file holds, and makes a run of it."""

    path: Path
    format: str
    created: str = ""
    environment: Environment = field(default_factory=Environment)
    arms: dict[str, Arm] = field(default_factory=dict)
    benchmarks: dict[str, Benchmark] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def arm(self, label: str, version: str, python: str, interpreter: Interpreter) -> None:
        self.environment.interpreters.setdefault(python, interpreter)
        loop = label.partition("@")[0]  # of "uvloop@3.14"
        made = Arm(label=label, loop=loop, factory="", version=version, python=python)
        if loop == REFERENCE and REFERENCE not in {arm.loop for arm in self.arms.values()}:
            made.role = "reference"
        self.arms.setdefault(label, made)

    def benchmark(self, benchmark: Benchmark) -> None:
        self.benchmarks.setdefault(benchmark.id, benchmark)

    def add(self, process: Process) -> None:
        """One that holds a time or value of zero or less is left out as a whole, and named."""
        if process.is_sound():
            self.processes.append(process)
        else:
            self.note(f"{process.benchmark}: a figure is no time that can be, and was left out")

    def note(self, reason: str) -> None:
        self.events.append(Event(event="note", reason=reason))

    def run_file(self) -> RunFile:
        """Raises NotARunFile where nothing was measured."""
        if not self.processes:
            reasons = "; ".join(dict.fromkeys(event.reason for event in self.events))
            raise NotARunFile(
                f"{self.path} holds no figures ({reasons or 'it has no benchmark'})",
                "Measure again",
            )
        for benchmark in self.benchmarks.values():
            self._keep_short_times_exact(benchmark)
        own = count(1 + max((each.number or 0) for each in self.processes))
        samples = [
            self._sample(next(own) if each.number is None else each.number, each)
            for each in self.processes
        ]
        return RunFile(
            self.path,
            self._header(),
            samples=samples,
            events=self.events,
            ends=[End(utc=self.created, samples=len(samples))],
        )

    def _header(self) -> Header:
        arms = [*self.arms.values()]
        return Header(
            run=self.path.name.split(".")[0],
            created=self.created,
            command=["bench", "import", str(self.path)],
            seed=0,
            design="process",
            reference=next((arm.label for arm in arms if arm.role == "reference"), arms[0].label),
            arms=arms,
            benchmarks=[*self.benchmarks.values()],
            plan=Plan(
                method="imported",
                rounds=1 + max(process.round for process in self.processes),
                batch=1,
                slot_s=0.0,
                warmup=0,
                budget_s=0.0,
                expected_s=0.0,
                hang_timeout_s=0.0,
                gc="",
            ),
            environment=self.environment,
            imported=self.format,
        )

    def _keep_short_times_exact(self, benchmark: Benchmark) -> None:
        if benchmark.measure == "value":
            return
        own = [process for process in self.processes if process.benchmark == benchmark.id]
        headlines = [each.wall if benchmark.measure == "wall" else each.cpu for each in own]
        totals = [each.totals(costs) for each, costs in zip(own, headlines, strict=True)]
        if any(total < SHORT_NS for slots in totals for total in slots):
            benchmark.measure, benchmark.unit = "value", f"ns per {benchmark.unit}"
            for process, costs in zip(own, headlines, strict=True):
                process.value = costs

    def _sample(self, number: int, of: Process) -> Sample:
        slots = [*range(len(of.n))]
        return Sample(
            process=number,
            round=of.round,
            benchmark=of.benchmark,
            arm=of.arm,
            design="process",
            n=of.n,
            block=slots,
            slot=slots,
            wall_ns=of.totals(of.wall),
            process_ns=of.totals(of.cpu),
            thread_ns=of.totals(of.cpu),
            value=of.value,
        )


def checked(path: Path, document: Any, kind: type[Typed], tool: str) -> Typed:
    """Raises NotARunFile, with the place in the document that makes no sense."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise NotARunFile(
            f"{path} looks like {tool}'s JSON, but makes no sense ({error})", "Was the file edited?"
        ) from error


def are_costs(values: Sequence[float]) -> bool:
    """Whether each has a logarithm."""
    return all(math.isfinite(value) and value > 0 for value in values)


def host_hash(name: str) -> str:
    """As environment.machine() has it, so that a machine is the same one in every file."""
    return hashlib.sha256(name.encode()).hexdigest()[:12] if name else ""
