"""Counts one benchmark on one arm: a process for each way of counting, and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from loopgauge.harness import environment
from loopgauge.harness.deterministic import callgrind, figures, strace
from loopgauge.harness.deterministic.figures import Subject
from loopgauge.harness.deterministic.plan import How
from loopgauge.harness.deterministic.tools import NO_TOOL, UNDER, Tool
from loopgauge.harness.isolation import ENDS_BENCHMARK
from loopgauge.harness.model import Arm, Benchmark, Event, Interpreter, Metric
from loopgauge.harness.orders import arm_plan, job_plan
from loopgauge.harness.reception import Reception
from loopgauge.harness.worker.plan import SCHEMA, AnyMessage, Counted
from loopgauge.harness.worker_process import Launch, Outcome, run_worker

# The plain process first: what a loop cannot do at all need not be tried under a tool.
HOWS: tuple[How, ...] = ("plain", "strace", "callgrind")
RUNS = (0, 1)  # the smaller and the larger
# What one phase may take; under callgrind everything takes fifty times as long.
PHASE_S: Mapping[How, float] = {
    "plain": 30.0,
    "strace": 60.0,
    "bytecodes": 60.0,
    "callgrind": 150.0,
}
# The worker ends itself, with a stack, after 1.25 times its limit; we wait longer.
SILENCE_FACTOR = 2.0
ABOUT_S: Mapping[How, float] = {"plain": 1.5, "strace": 1.0, "bytecodes": 1.0, "callgrind": 5.0}
TOOLLESS: frozenset[How] = frozenset({"plain", "bytecodes"})


@dataclass
class Findings:
    """`events` say what could not be counted, and why."""

    metrics: list[Metric] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    n: dict[How, figures.Sizes] = field(default_factory=dict)
    process: list[dict[str, float]] = field(default_factory=list)  # totals of the plain process
    bytecodes: list[dict[str, float]] = field(default_factory=list)  # by "file:function"
    profiles: list[callgrind.Profile] = field(default_factory=list)


class _Refused(Exception):
    """The scenario or the loop said no; it would say so again."""


class Counting:
    def __init__(
        self,
        interpreters: Mapping[str, Interpreter],
        tools: Mapping[str, Mapping[str, Tool]],
        path: Sequence[str],
        cpus: Sequence[int] | None,
    ) -> None:
        """`tools`: by Python and way of counting."""
        self._interpreters = interpreters
        self._tools = tools
        self._path = list(path)
        self._cpus = cpus

    def count(
        self,
        benchmark: Benchmark,
        arm: Arm,
        progress: Callable[[How], None] = lambda how: None,
        hows: Sequence[How] = HOWS,
    ) -> Findings:
        found = Findings()
        for how in hows:
            tool = NO_TOOL if how in TOOLLESS else self._tools[arm.python].get(how)
            if tool is None or not tool.version:
                continue
            progress(how)
            try:
                self._count(how, tool, benchmark, arm, found)
            except _Refused:
                break
        return found

    def _count(self, how: How, tool: Tool, benchmark: Benchmark, arm: Arm, found: Findings) -> None:
        with tempfile.TemporaryDirectory(prefix="loopgauge-") as folder:
            counted, events, outcome = self._run(how, benchmark, arm, folder)
            refusals = [event for event in events if event.event in ENDS_BENCHMARK]
            if how == "plain":
                found.events += refusals
            elif refusals:
                found.events.append(left_out(benchmark, arm, how, tool, refusals[0].reason))
            if outcome.end != "done":
                found.events.append(died(benchmark, arm, how, tool, outcome))
            if outcome.end != "done" or refusals:
                if how == "plain":
                    raise _Refused
                return
            if len(counted) != len(RUNS):
                found.events.append(left_out(benchmark, arm, how, tool, "it sent no counts"))
                return
            n = (counted[0].n, counted[1].n)
            found.n[how] = n
            of = figures.subject_of(benchmark, arm.label)
            found.metrics += READERS[how](of, n, counted, tool, Path(folder), found)

    def _run(
        self, how: How, benchmark: Benchmark, arm: Arm, folder: str
    ) -> tuple[list[Counted], list[Event], Outcome]:
        counted: list[Counted] = []
        reception = Reception({(benchmark.id, arm.label): 1}, on_samples=lambda samples: None)

        def listen(message: AnyMessage) -> None:
            if isinstance(message, Counted):
                counted.append(message)
            else:
                reception(message)

        outcome = run_worker(self._launch(how, benchmark, arm, folder), listen)
        return counted, reception.events, outcome

    def _launch(self, how: How, benchmark: Benchmark, arm: Arm, folder: str) -> Launch:
        plan = {
            "schema": SCHEMA,
            "process": 0,
            "seed": 0,
            "design": "process",
            "hang_timeout": PHASE_S[how],
            "path": self._path,
            "behind": self._interpreters[arm.python].path,
            "arms": [arm_plan(arm)],
            "jobs": [job_plan(benchmark)],
            "how": how,
            "folder": folder,
        }
        return Launch(
            command=[self._interpreters[arm.python].executable, *UNDER, how, folder],
            plan=plan,
            environment=environment.worker_environment(hash_seed=0, padding=0),
            silence_s=SILENCE_FACTOR * PHASE_S[how],
            cpus=self._cpus,
        )


def read_process(
    of: Subject, n: figures.Sizes, counted: list[Counted], tool: Tool, folder: Path, found: Findings
) -> list[Metric]:
    found.process = [run.totals for run in counted]
    return figures.of_process(of, n, found.process)


def read_trace(
    of: Subject, n: figures.Sizes, counted: list[Counted], tool: Tool, folder: Path, found: Findings
) -> list[Metric]:
    with (folder / "strace").open(encoding="utf-8", errors="replace") as lines:
        calls = strace.calls(lines)
    return figures.of_trace(of, n, [calls[run] for run in RUNS], tool.version)


def read_profiles(
    of: Subject, n: figures.Sizes, counted: list[Counted], tool: Tool, folder: Path, found: Findings
) -> list[Metric]:
    profiles = callgrind.runs(folder)
    found.profiles = [profiles[run] for run in RUNS]
    return figures.of_profiles(of, n, found.profiles, f"{tool.version} callgrind")


def read_bytecodes(
    of: Subject, n: figures.Sizes, counted: list[Counted], tool: Tool, folder: Path, found: Findings
) -> list[Metric]:
    found.bytecodes = [run.totals for run in counted]
    return []


READERS = {
    "bytecodes": read_bytecodes,
    "plain": read_process,
    "strace": read_trace,
    "callgrind": read_profiles,
}
assert set(READERS) == set(get_args(How))


def left_out(benchmark: Benchmark, arm: Arm, how: How, tool: Tool, reason: str) -> Event:
    return Event(
        event="left_out",
        benchmark=benchmark.id,
        arm=arm.label,
        reason=f"{circumstance(how, tool)}: {reason}",
    )


def circumstance(how: How, tool: Tool) -> str:
    words: dict[How, str] = {
        "plain": "while its allocations were counted",
        "bytecodes": "while its bytecodes were counted",
    }
    return words.get(how, f"under {tool.version}")


def died(benchmark: Benchmark, arm: Arm, how: How, tool: Tool, outcome: Outcome) -> Event:
    return Event(
        event="left_out",
        benchmark=benchmark.id,
        arm=arm.label,
        reason=f"{circumstance(how, tool)} it {outcome.predicate}",
        signal=outcome.signal,
        detail=outcome.detail,
    )
