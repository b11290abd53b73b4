"""Where a gate is held: everything that its session asks of a machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from loopgauge.harness.errors import ResumeMismatch
from loopgauge.harness.gate import explaining, promises
from loopgauge.harness.gate.model import GateHeader
from loopgauge.harness.gate.subject import build
from loopgauge.harness.request import Progress
from loopgauge.harness.runner import Local, Runner
from loopgauge.harness.subject import APPLICATION_PREFIX, Subject
from loopgauge.scenarios.registry import parse_benchmark_id


class Ground(Protocol):
    """One machine on which both sides can be measured."""

    @property
    def runner(self) -> Runner: ...

    def clock(self) -> float:
        """Seconds that the gate has had of this machine; what its minutes are counted by."""

    def require_builds(self, header: GateHeader) -> None:
        """Raises ResumeMismatch where a side of an earlier session is no longer there."""

    def subject(self, header: GateHeader) -> Subject:
        """Both sides as the arms of a run."""

    def promises(self, header: GateHeader, folder: Path, say: Callable[[str], None]) -> None:
        """As promises.compare() does: its files are in the folder afterwards."""

    def explain(
        self,
        header: GateHeader,
        subject: Subject,
        names: Sequence[str],
        path: Path,
        listener: Callable[[Progress], None],
    ) -> None:
        """As explaining.explain() does."""


class Here:
    """This machine."""

    def __init__(self) -> None:
        self.runner: Runner = Local()

    def clock(self) -> float:
        return time.monotonic()

    def require_builds(self, header: GateHeader) -> None:
        """The oldest builds are dropped when there are many."""
        for side in (header.base, header.head):
            places = [side.executable, *([side.source] if side.source else [])]
            gone = next((place for place in places if not Path(place).exists()), None)
            if gone is not None:
                raise ResumeMismatch(
                    f"the gate cannot go on: {side.name} ({side.title}) is no longer there: {gone}",
                    "Start a new one; what was measured stays readable with --replay",
                )

    def subject(self, header: GateHeader) -> Subject:
        return subject_of(header)

    def promises(self, header: GateHeader, folder: Path, say: Callable[[str], None]) -> None:
        promises.compare(header.base, header.head, header.settings, folder, say)

    def explain(
        self,
        header: GateHeader,
        subject: Subject,
        names: Sequence[str],
        path: Path,
        listener: Callable[[Progress], None],
    ) -> None:
        explaining.explain(subject, names, path, listener)


def subject_of(header: GateHeader) -> Subject:
    return build(header.base, header.head, [variant(name) for name in header.benchmarks])


def variant(benchmark: str) -> tuple[str, Mapping[str, Any]]:
    if benchmark.startswith(APPLICATION_PREFIX):
        return benchmark, {}
    return parse_benchmark_id(benchmark)
