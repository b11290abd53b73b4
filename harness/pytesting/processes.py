"""pytest in processes of its own: what one process measures holds for that process only."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loopgauge.harness import environment, schedule
from loopgauge.harness.model import Sample
from loopgauge.harness.store import RunFile

PLUGIN = "loopgauge.harness.pytest_plugin"  # also the entry point's name: loaded once, not twice
TAIL = 12  # lines of what a failed pytest said

TESTS_FAILED = 1


@dataclass(frozen=True)
class Fresh:
    """One process. `out`: its run file. `seed`: of the order and of what is drawn per process."""

    executable: str
    arguments: Sequence[str]
    out: Path
    round: int
    seed: int
    unit: str = ""  # tells processes of one round apart
    flags: Sequence[str] = ()  # of the interpreter
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None  # where pytest runs; None: here

    def run(self) -> subprocess.CompletedProcess[str]:
        """Ctrl-C ends it, too. Raises OSError for an interpreter that cannot be started."""
        command = [
            self.executable,
            *self.flags,
            *("-m", "pytest", "-p", PLUGIN),
            *self.arguments,
            "--loop-benchmark-only",
            "--loop-benchmark-processes=1",
            f"--loop-benchmark-round={self.round}",
            f"--loop-benchmark-seed={self.seed}",
            f"--loop-benchmark-out={self.out}",
            "--loop-benchmark-json=",
            # What the user's own run writes is not to be written over.
            f"--basetemp={self.out.with_suffix('.tmp')}",
        ]
        drawn = environment.worker_environment(
            schedule.hash_seed(self.seed, self.round, self.unit),
            schedule.padding(self.seed, self.round, self.unit),
        )
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**drawn, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )


def sound(run: RunFile) -> list[Sample]:
    """Without those of tests that failed, be it after the measurement."""
    failed = {(event.benchmark, event.arm) for event in run.events if event.event == "error"}
    return [sample for sample in run.samples if (sample.benchmark, sample.arm) not in failed]


def tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-TAIL:])
