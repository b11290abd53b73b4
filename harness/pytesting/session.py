"""The benchmarks of one pytest session, from what was collected to the finished run file."""

from __future__ import annotations

import os
import secrets
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loopgauge.harness import environment
from loopgauge.harness.errors import HarnessError, NothingToMeasure, StoreFull
from loopgauge.harness.manager import new_path, require_place
from loopgauge.harness.model import AnyRecord, Event, EventKind, Load, Measure
from loopgauge.harness.pytesting import choice, measuring, record
from loopgauge.harness.pytesting.choice import Chosen
from loopgauge.harness.pytesting.measuring import Failed, Question
from loopgauge.harness.pytesting.outside import outside_of_loops
from loopgauge.harness.pytesting.record import Recorder
from loopgauge.harness.pytesting.rounds import further_rounds
from loopgauge.harness.pytesting.work import Call
from loopgauge.harness.store import RunFile
from loopgauge.loops.registry import LoopError, availability
from loopgauge.loops.spec import LoopSpec

MARKER = "loop_benchmark"
ANOTHER_PLACE = "choose another place with --loop-benchmark-out"
UNDER_XDIST = (
    "loop_benchmark measures nothing under xdist, whose processes would disturb each other: leave"
    " out -n, or add -n 0"
)


@dataclass(frozen=True)
class Benchmark:
    """A test that asked for the fixture."""

    chosen: Chosen
    labels: tuple[str, ...]  # of all loops that take turns
    summary: str
    measure: Measure
    seconds: float


@dataclass
class Benchmarks:
    """`problem`: why the run file is not what it should be, "" mostly."""

    config: pytest.Config
    tests: dict[str, Benchmark] = field(default_factory=dict)  # by test id
    specs: dict[str, LoopSpec] = field(default_factory=dict)  # by label
    outcomes: dict[str, str] = field(default_factory=dict)  # of tests that did not pass
    recorder: Recorder | None = None
    problem: str = ""
    before: Load = field(default_factory=environment.load)

    @property
    def measures(self) -> bool:
        """Not where it was switched off, and not under xdist: its processes would disturb each
        other, and all of them the figures."""
        return not (self.config.getoption("loop_benchmark_disable") or under_xdist(self.config))

    @property
    def run(self) -> RunFile | None:
        """None before the first figure."""
        return self.recorder.file if self.recorder is not None and self.recorder.begun else None

    def collect(self, items: Sequence[pytest.Item]) -> None:
        """Raises UsageError for names that no loop has, and for a place that is taken."""
        for item in items:
            if choice.FIXTURE in getattr(item, "fixturenames", ()):
                self.tests[item.nodeid] = self._benchmark(item)
        try:
            for test in self.tests.values():
                for label in test.labels:
                    self.specs.setdefault(label, record.spec_of(label))
            self._require_loops_asked_for()
            if self.tests and self.measures:
                self._prepare()
        except (LoopError, NothingToMeasure) as error:
            raise pytest.UsageError(str(error)) from error

    def measure(self, item: pytest.Item, call: Call) -> Any:
        """The result of the last call; what it raises is raised."""
        test = self.tests[item.nodeid]
        loops = self._available(test)
        if under_xdist(self.config):
            warnings.warn(UNDER_XDIST, pytest.PytestWarning, stacklevel=4)
        try:
            with outside_of_loops():
                if self.recorder is None:
                    asked = {name: loops[name] for name in test.chosen.loops if name in loops}
                    return measuring.run_once(self._question(test, call, asked))
                result, samples = measuring.measure(self._question(test, call, loops))
        except Failed as failure:
            raise self._explained(test, failure) from None
        self._keep([*self._notes(), *samples])
        return result

    def report(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" and report.nodeid in self.tests:
            why = f"its test {report.outcome}: {reason_of(report)}"
            self.outcomes[report.nodeid] = why
            if report.failed:
                self._void(self.tests[report.nodeid], why)

    def measure_again(self) -> None:
        """In as many more processes as were asked for."""
        if self.recorder is not None and self.recorder.begun:
            for records in further_rounds(self.config, self.recorder.file):
                self.recorder.add(records)

    def finish(self, *, interrupted: bool) -> None:
        if self.recorder is None:
            return
        try:
            if self.recorder.begun and interrupted:
                self.recorder.add([Event(event="interrupted")])
            elif self.recorder.begun:
                self.recorder.add(self._missing())
                self.recorder.finish(self.before)
        except HarnessError as error:
            self.problem = error.cause
        finally:
            self.recorder.close()

    def _benchmark(self, item: pytest.Item) -> Benchmark:
        chosen = choice.of_item(item)
        marker = item.get_closest_marker(MARKER)
        options = dict(marker.kwargs) if marker is not None else {}
        measure = options.pop("measure", "cpu")
        seconds = options.pop("seconds", self.config.getoption("loop_benchmark_seconds"))
        if options or (marker and marker.args) or measure not in ("cpu", "wall"):
            raise pytest.UsageError(
                f"{item.nodeid}: @pytest.mark.{MARKER} takes measure='cpu' or 'wall', and seconds"
            )
        alone = self.config.getoption("loop_benchmark_alone")
        return Benchmark(
            chosen=chosen,
            labels=record.with_company(chosen.loops, alone=alone),
            summary=first_line(getattr(getattr(item, "function", None), "__doc__", None)),
            measure=measure,
            seconds=float(seconds),
        )

    def _prepare(self) -> None:
        out = self.config.getoption("loop_benchmark_out")
        path = (Path(out) if out else new_path()).absolute()  # a test may change the folder
        try:
            require_place(path)
        except HarnessError as error:
            raise pytest.UsageError(f"{error.cause}; {ANOTHER_PLACE}") from error
        given = self.config.getoption("loop_benchmark_seed")
        seed = secrets.randbits(32) if given is None else given
        arguments = [*map(str, self.config.invocation_params.args)]
        if given is None:
            arguments.append(f"--loop-benchmark-seed={seed}")
        header = record.header_of(
            path.stem,
            {test.chosen.benchmark: (test.summary, test.measure) for test in self.tests.values()},
            self.specs,
            seed=seed,
            rounds=self.config.getoption("loop_benchmark_processes"),
            seconds=self.config.getoption("loop_benchmark_seconds"),
            command=["pytest", *arguments],
        )
        self.recorder = Recorder(path, header, self.config.getoption("loop_benchmark_round"))

    def _keep(self, records: Sequence[AnyRecord]) -> None:
        """A figure that is lost is no pass, whatever the test says."""
        assert self.recorder is not None
        try:
            self.recorder.add(records)
        except StoreFull as error:
            self.problem = error.cause
        if self.problem:
            pytest.fail(f"{self.problem}; {ANOTHER_PLACE}", pytrace=False)

    def _void(self, test: Benchmark, why: str) -> None:
        """Figures of a test that fails afterwards are no figures; why is on disk with them."""
        if self.recorder is None:
            return
        name = test.chosen.benchmark
        measured = {s.arm for s in self.recorder.file.samples if s.benchmark == name}
        events = [error_event(test, loop, why) for loop in test.chosen.loops if loop in measured]
        try:
            self.recorder.add(events)
        except StoreFull as error:
            self.problem = error.cause

    def _require_loops_asked_for(self) -> None:
        """What a marker names may be missing here; a command that measures nothing is no pass."""
        for name in choice.words(self.config.getoption("loop_benchmark_loop")):
            state = availability(self.specs[name])
            if not state.ok:
                raise NothingToMeasure(f"the loop {name} cannot be made here: {state.reason}")

    def _available(self, test: Benchmark) -> dict[str, LoopSpec]:
        states = {label: availability(self.specs[label]) for label in test.labels}
        if not any(states[name].ok for name in test.chosen.loops):
            reasons = "; ".join(f"{name}: {states[name].reason}" for name in test.chosen.loops)
            pytest.skip(f"no loop to measure on ({reasons})")
        return {label: self.specs[label] for label in test.labels if states[label].ok}

    def _question(self, test: Benchmark, call: Call, loops: dict[str, LoopSpec]) -> Question:
        chosen = test.chosen
        number = self.config.getoption("loop_benchmark_round")
        return Question(
            benchmark=chosen.benchmark,
            call=call,
            loops=loops,
            seconds=test.seconds,
            seed=self.recorder.file.header.seed if self.recorder is not None else 0,
            round=number * chosen.width + chosen.index,
            process=number + 1,
        )

    def _explained(self, test: Benchmark, failure: Failed) -> BaseException:
        """What the call raised, with the loop on which it did."""
        error = failure.__cause__ or failure
        if isinstance(error, Exception):
            error.add_note(f"(in loop_benchmark, on the loop {failure.label})")
            if self.recorder is not None and self.recorder.begun:
                reason = f"{type(error).__name__}: {error}"
                self._keep([error_event(test, failure.label, reason)])
        return error

    def _notes(self) -> list[Event]:
        """What makes figures of this process unlike those of others; each once."""
        assert self.recorder is not None
        known = {event.reason for event in self.recorder.file.events}
        return [
            Event(event="note", process=self.recorder.process, reason=reason)
            for reason in disturbances()
            if reason not in known
        ]

    def _missing(self) -> list[Event]:
        """Why a loop has no figure in a benchmark, where it is not unavailable anyway."""
        assert self.recorder is not None
        samples = {(sample.benchmark, sample.arm) for sample in self.recorder.file.samples}
        told = {(event.benchmark, event.arm) for event in self.recorder.file.events}
        wanted = {
            (test.chosen.benchmark, label): self.outcomes.get(name, "its test asked for no figure")
            for name, test in self.tests.items()
            for label in test.labels
        }
        events = []
        for benchmark in self.recorder.file.header.benchmarks:
            for label in self.specs:
                key = (benchmark.id, label)
                if key in samples or key in told:
                    continue
                reason = wanted.get(key)
                kind: EventKind = "error" if reason is not None else "unsupported"
                events.append(
                    Event(
                        event=kind,
                        benchmark=benchmark.id,
                        arm=label,
                        reason=reason or "not asked for there",
                    )
                )
        return events


def error_event(test: Benchmark, label: str, reason: str) -> Event:
    return Event(
        event="error", benchmark=test.chosen.benchmark, arm=label, phase="slot", reason=reason
    )


def disturbances() -> list[str]:
    found = []
    if sys.gettrace() is not None or sys.getprofile() is not None or monitored():
        found.append("a debugger, profiler or coverage tool was watching every line")
    if sys.flags.dev_mode or os.environ.get("PYTHONASYNCIODEBUG"):
        found.append("asyncio was in debug mode")
    return found


def monitored() -> bool:
    """coverage watches through sys.monitoring from 3.14 on, and where it is told to."""
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(tool) for tool in range(6))


def under_xdist(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def reason_of(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # of a skipped test: file, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    return first_line(crash.message if crash is not None else report.longreprtext)
