"""One gate, step by step. A step that is done is not done again; one that was interrupted goes on
where its file ends. So a first run and a resumed one are the same function."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopgauge.harness import environment
from loopgauge.harness.errors import HarnessError, ResumeMismatch
from loopgauge.harness.gate import (
    counting,
    decision,
    explaining,
    judging,
    promises,
    tests_timing,
    timing,
)
from loopgauge.harness.gate.ground import Ground, Here
from loopgauge.harness.gate.model import AnyGateRecord, GateHeader, GateResult, GateStep, Step
from loopgauge.harness.gate.store import GateFile, append
from loopgauge.harness.model import Environment
from loopgauge.harness.request import Progress
from loopgauge.harness.store import read_run
from loopgauge.harness.subject import Subject

Listener = Callable[[Progress], None]
# Shows the progress of a step.
Display = Callable[[Step], AbstractContextManager[Listener]]


def start(
    folder: Path,
    header: GateHeader,
    display: Display,
    say: Callable[[str], None],
    ground: Ground | None = None,
) -> GateResult:
    """A new gate. Raises HarnessError, and KeyboardInterrupt with what is finished in the files."""
    ground = ground or Here()
    subject = ground.subject(header)
    header.environment = subject.environment
    append(folder, header)
    return Session(GateFile(folder, header), subject, display, say, ground).run()


def go_on(
    gate: GateFile,
    display: Display,
    say: Callable[[str], None],
    ground: Ground | None = None,
) -> GateResult:
    """Takes up one that was interrupted. Raises ResumeMismatch, too."""
    ground = ground or Here()
    ground.require_builds(gate.header)
    subject = ground.subject(gate.header)
    require_same(gate.header.environment, subject.environment)
    return Session(gate, subject, display, say, ground).run()


@dataclass
class Session:
    gate: GateFile
    subject: Subject
    display: Display
    say: Callable[[str], None]
    ground: Ground

    def run(self) -> GateResult:
        began = time.monotonic()
        self._ask()
        broken = any(one.verdict == "BROKEN" for one in promises.decisions(self.gate.folder))
        for step, do in self._measuring().items():
            if broken:
                self._skip(step, "head breaks rules that base keeps: its speed says nothing")
            else:
                self._step(step, do)
        result = self._result(began)
        if self._explain(result):
            result = self._result(began)
        return result

    def _result(self, began: float) -> GateResult:
        result = decision.decide(self.gate)
        result.utc = environment.utc_now()
        result.wall_s = time.monotonic() - began
        self._record(result)
        return result

    def _explain(self, result: GateResult) -> bool:
        """Whether there is more to say than before. What was decided is on the disk by now, and
        stands whatever comes of this."""
        header = self.gate.header
        names = explaining.changed(result.decisions, header)
        asked = header.settings.explain and header.settings.deterministic
        if not asked or not names or self.gate.state("explanation") in decision.ENDED:
            return False
        try:
            self._step("explanation", lambda: self._explanation(names))
        except (HarnessError, OSError) as error:
            self._skip(
                "explanation", error.cause if isinstance(error, HarnessError) else str(error)
            )
        return True

    def _explanation(self, names: Sequence[str]) -> None:
        with self.display("explanation") as listener:
            self.ground.explain(
                self.gate.header, self.subject, names, self._file("explanation"), listener
            )

    def _measuring(self) -> dict[Step, Callable[[], None]]:
        steps: dict[Step, Callable[[], None]] = {
            "counts": self._counts,
            "timing": self._timing,
            "confirmation": self._confirmation,
            "tests timing": self._tests,
            "tests confirmation": self._tests_again,
        }
        return {name: steps[name] for name in decision.wanted(self.gate.header) if name in steps}

    def _step(self, step: Step, do: Callable[[], None]) -> None:
        if self.gate.state(step) in decision.ENDED:
            return
        self._told(step, "begun")
        try:
            do()
        except KeyboardInterrupt:
            self._told(step, "interrupted")
            raise
        else:
            self._told(step, "done")

    def _ask(self) -> None:
        header = self.gate.header
        if not header.settings.conformance:
            return
        if reason := promises.nothing_to_ask(header.base, header.head):
            if not self.gate.state("promises"):
                self._told("promises", "done", f"no promise can differ: {reason}")
            return
        self._step(
            "promises",
            lambda: self.ground.promises(header, self.gate.folder, self.say),
        )

    def _skip(self, step: Step, reason: str) -> None:
        if self.gate.state(step) != "left_out":
            self._told(step, "left_out", reason)

    def _counts(self) -> None:
        names = [one.id for one in self.subject.benchmarks]
        with self.display("counts") as listener:
            counting.count(self.subject, names, self._file("counts"), listener, self.ground)
            first = read_run(self._file("counts"))
            if again := counting.changed(first, self.gate.header.settings):
                counting.count(
                    self.subject, again, self._file("counts-again"), listener, self.ground
                )

    def _timing(self) -> None:
        header = self.gate.header
        with self.display("timing") as listener:
            timing.measure_first(
                self.subject,
                header.settings,
                header.seed,
                self._file("timing"),
                listener,
                self.ground,
            )

    def _confirmation(self) -> None:
        header = self.gate.header
        first = read_run(self._file("timing"))
        if not judging.flagged(first, header.settings):
            return
        with self.display("confirmation") as listener:
            timing.measure_again(
                first,
                header.settings,
                header.seed,
                self._file("confirmation"),
                listener,
                self.ground,
            )

    def _tests(self) -> None:
        with self.display("tests timing") as listener:
            tests_timing.measure_first(self.gate.header, self._file("tests"), listener)

    def _tests_again(self) -> None:
        header = self.gate.header
        first = read_run(self._file("tests"))
        if not judging.flagged(first, header.settings):
            return
        with self.display("tests confirmation") as listener:
            tests_timing.measure_again(header, first, self._file("tests-again"), listener)

    def _file(self, name: str) -> Path:
        return self.gate.folder / f"{name}.jsonl"

    def _told(self, step: Step, state: Any, reason: str = "") -> None:
        self._record(GateStep(step=step, state=state, utc=environment.utc_now(), reason=reason))

    def _record(self, record: AnyGateRecord) -> None:
        append(self.gate.folder, record)
        self.gate.add(record)


def require_same(then: Environment, now: Environment) -> None:
    """Samples of another machine or build have no like to be paired with."""
    differences = []
    if not environment.same_machine(now.machine, then.machine):
        differences.append("the machine")
    for key, known in then.interpreters.items():
        found = now.interpreters.get(key)
        if found is None or (found.version, found.build_hash) != (known.version, known.build_hash):
            differences.append(f"the Python or the build of {key}")
    if differences:
        raise ResumeMismatch(
            f"the gate cannot go on, since something changed: {', '.join(differences)}",
            "Start a new one; what was measured stays readable",
        )
