"""The timing of a project's own benchmarks, which are pytest's tests with `loop_benchmark`.

One process of pytest measures all of them on one side, so base, head and base once more take turns
process by process; their files become one run file with the arms that `judging` knows. All tests
run in every round, also those that are decided already: a look still sees the same first processes
only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from loopgauge.harness import environment, schedule
from loopgauge.harness.errors import NothingToMeasure, RunFileError
from loopgauge.harness.gate import judging, looks, timing
from loopgauge.harness.gate.model import GateHeader, Side
from loopgauge.harness.gate.pytest_source import measure_round
from loopgauge.harness.gate.store import has_records
from loopgauge.harness.gate.subject import BASE, HEAD, TWIN
from loopgauge.harness.model import Allocation, Arm, Benchmark, End, Event, Header, Plan, Sample
from loopgauge.harness.request import Progress
from loopgauge.harness.store import RunFile, RunWriter, open_for_resume, read_whole

ARMS = (BASE, HEAD, TWIN)


@dataclass
class Stage:
    """Up to `most` processes a side, as long as `wants` says so of what is there."""

    gate: GateHeader
    tests: Sequence[str]
    path: Path
    seed: int
    most: int
    limit_s: float
    wants: Callable[[RunFile, int], bool]
    listener: Callable[[Progress], None]

    def measure(self) -> None:
        """Makes or continues the run file. Raises NothingToMeasure where no test has a figure, and
        WorkerUnusable where pytest does not get as far as the tests."""
        self._began = time.monotonic()
        self._failed: list[Event] = []
        if has_records(self.path):
            file, number = open_for_resume(self.path), 0
        else:
            file, number = self._first(), 1
        with RunWriter(self.path) as writer:
            if number:
                writer.append([file.header, *file.samples])
            self._tell(writer, file)
            number = self._rounds_done(file)
            while number < self.most and self._time_is_left(number) and self.wants(file, number):
                for arm in self._order(number):
                    if not any(s.round == number and s.arm == arm for s in file.samples):
                        samples, _ = self._side(arm, number)
                        writer.append(samples)
                        file.samples += samples
                        self._tell(writer, file)
                number += 1
            end = End(utc=environment.utc_now(), samples=len(file.samples))
            end.wall_s = time.monotonic() - self._began
            writer.append([end])

    def _tell(self, writer: RunWriter, file: RunFile) -> None:
        """What failed, once: a test that fails on both sides would be missed by nobody."""
        known = {(event.arm, event.reason) for event in file.events}
        new = {(one.arm, one.reason): one for one in self._failed}
        events = [event for key, event in new.items() if key not in known]
        self._failed = []
        writer.append(events)
        file.events += events

    def _fails(self, arm: str, number: int, reason: str) -> None:
        side = HEAD if arm == HEAD else BASE
        event = Event(event="left_out", benchmark="pytest", arm=side, reason=reason)
        event.process, event.utc = self._process(arm, number), environment.utc_now()
        self._failed.append(event)

    def _process(self, arm: str, number: int) -> int:
        return 1 + len(ARMS) * number + ARMS.index(arm)

    def _first(self) -> RunFile:
        """Round 0, which tells what there is to measure."""
        samples: list[Sample] = []
        found: dict[str, Benchmark] = {}
        header: Header | None = None
        for arm in self._order(0):
            more, told = self._side(arm, 0)
            samples += more
            if told is not None:
                header = told
                found |= {benchmark.id: benchmark for benchmark in told.benchmarks}
        if header is None:
            raise NothingToMeasure(
                f"no test of {' '.join(self.tests)} measured anything on either side",
                "Is there one that uses the fixture loop_benchmark, and does it pass?",
            )
        return RunFile(self.path, self._header(header, [*found.values()]), samples)

    def _header(self, one: Header, benchmarks: list[Benchmark]) -> Header:
        sides = {BASE: self.gate.base, HEAD: self.gate.head, TWIN: self.gate.base}
        roles = {BASE: "reference", HEAD: "candidate", TWIN: "aa"}
        python = next(iter(one.environment.interpreters))
        return msgspec.structs.replace(
            one,
            run=self.path.stem,
            seed=self.seed,
            reference=BASE,
            design="process",
            command=["bench", "gate"],
            arms=[
                msgspec.convert(
                    {"label": arm, "loop": side.loop, "factory": side.loop, "role": roles[arm],
                     "version": side.version, "python": python},
                    Arm,
                )
                for arm, side in sides.items()
            ],
            benchmarks=[msgspec.structs.replace(b, design="process") for b in benchmarks],
            plan=Plan(
                method=schedule.METHOD,
                rounds=self.most,
                batch=len(benchmarks),
                slot_s=one.plan.slot_s,
                warmup=one.plan.warmup,
                budget_s=self.limit_s,
                expected_s=self.limit_s,
                hang_timeout_s=one.plan.hang_timeout_s,
                allocations={b.id: Allocation(blocks=1, block_s=0.0) for b in benchmarks},
            ),
        )  # fmt: skip

    def _order(self, number: int) -> list[str]:
        return schedule.process_order(self.seed, number, self.most, ARMS)

    def _side(self, arm: str, number: int) -> tuple[list[Sample], Header | None]:
        """What one process of pytest measured, as samples of `arm`; no header where nothing was."""
        side: Side = self.gate.head if arm == HEAD else self.gate.base
        elapsed = time.monotonic() - self._began
        self.listener(
            Progress(
                phase="measure",
                fraction=min(1.0, max(number / self.most, elapsed / self.limit_s)),
                elapsed_s=elapsed,
                remaining_s=max(0.0, self.limit_s - elapsed),
                process=number,
                processes=self.most,
                benchmark=" ".join(self.tests),
                arm=arm,
            )
        )
        with tempfile.TemporaryDirectory(prefix="loopgauge-tests-") as folder:
            out = Path(folder) / "run.jsonl"
            seed = schedule.stream(self.seed, "tests", number, arm).getrandbits(32)
            told = partial(self._fails, arm, number)
            measured = measure_round(side, self.tests, number, out, seed, told)
            try:
                header = read_whole(out)[0].header if measured else None
            except RunFileError:
                header = None
        process = self._process(arm, number)
        return [msgspec.structs.replace(s, arm=arm, process=process) for s in measured], header

    def _rounds_done(self, file: RunFile) -> int:
        rounds = {arm: {s.round for s in file.samples if s.arm == arm} for arm in ARMS}
        number = 0
        while any(number in seen for seen in rounds.values()) and all(
            number in seen or not seen for seen in rounds.values()
        ):
            number += 1
        return number

    def _time_is_left(self, number: int) -> bool:
        return number < looks.LEAST or time.monotonic() - self._began < self.limit_s


def measure_first(gate: GateHeader, path: Path, listener: Callable[[Progress], None]) -> None:
    sizes = {look.size for look in looks.looks(looks.MOST)}

    def wants(file: RunFile, done: int) -> bool:
        if done not in sizes:
            return True
        judged = judging.judged_first(file, gate.settings).values()
        return any(one is not None and one.call == "open" for one in judged)

    share = timing.FIRST_SHARE * 60 * gate.settings.minutes
    Stage(gate, gate.tests, path, gate.seed, looks.MOST, share, wants, listener).measure()


def measure_again(
    gate: GateHeader, first: RunFile, path: Path, listener: Callable[[Progress], None]
) -> None:
    seed = schedule.stream(gate.seed, "tests", "confirmation").getrandbits(32)
    most, limit_s = timing.CONFIRMATION, timing.second_s(gate.settings, first)
    Stage(gate, gate.tests, path, seed, most, limit_s, lambda file, done: True, listener).measure()
