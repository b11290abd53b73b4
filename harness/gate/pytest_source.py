"""A gate's benchmarks from a project's own tests: pytest with `loop_benchmark`, a fresh process per
side and round (`pytest:tests/bench` on the command line)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from loopgauge.harness.errors import RunFileError, WorkerUnusable
from loopgauge.harness.gate.model import Side
from loopgauge.harness.model import Sample
from loopgauge.harness.pytesting import behind
from loopgauge.harness.pytesting.processes import TESTS_FAILED, Fresh, sound, tail
from loopgauge.harness.store import read_whole

# Of a test in one process: many processes say more than long ones.
SECONDS = 0.25
# Exit codes of pytest, and what it says of an argument that names no file or test.
USAGE, NO_TESTS = 4, 5
NOT_THERE = ("ERROR: not found: ", "ERROR: file or directory not found: ")


def measure_round(
    side: Side,
    arguments: Sequence[str],
    round: int,
    out: Path,
    seed: int = 0,
    told: Callable[[str], None] = lambda line: None,
) -> list[Sample]:
    """One sample per benchmark, its arm named after the side. `out` is the process's own run file,
    whose header describes the benchmarks; it must not exist yet. The tests of a revision are its
    own and run in its own tree, so that all code they import is the side's.

    A benchmark whose test fails or is skipped has no sample; `told` hears of what fails. Where a
    side has no such tests at all there are none, too. Raises WorkerUnusable where pytest itself
    does not get as far as the tests."""
    fresh = Fresh(
        executable=side.executable,
        arguments=[
            f"--loop-benchmark-seconds={SECONDS}",  # an argument of the user's counts more
            *arguments,
            *("-p", behind.PLUGIN),
            *("--loop-benchmark-alone", f"--loop-benchmark-loop={side.loop}"),
        ],
        out=out,
        round=round,
        seed=seed,
        unit=side.name,
        # The working folder holds one of the two versions, and would take the place of both.
        flags=("-P",),
        folder=Path(side.source) if side.source else None,
        variables={"PYTHONPATH": search_path(side)},
    )
    try:
        done = fresh.run()
    except OSError as error:
        raise WorkerUnusable(f"{side.executable} does not run: {error.strerror}") from error
    if done.returncode == NO_TESTS or has_none(done, arguments):
        return []
    if done.returncode not in (0, TESTS_FAILED):
        raise WorkerUnusable(
            f"pytest does not measure {' '.join(arguments)} on {side.name}"
            f" (exit code {done.returncode}): {tail(done.stdout)}",
            cure(done.stdout, side),
        )
    if done.returncode == TESTS_FAILED:
        told(f"tests fail: {failed(done.stdout)}")
    process = 1 + 2 * round + (side.name == "head")
    return [
        msgspec.structs.replace(sample, arm=side.name, process=process, round=round)
        for sample in measured(out)
        if sample.arm == side.loop
    ]


def has_none(done: subprocess.CompletedProcess[str], arguments: Sequence[str]) -> bool:
    """Whether what was asked for is not there on this side. Of several arguments one that is there
    would be lost with the one that is not: that remains an error."""
    missing = any(line.startswith(NOT_THERE) for line in done.stdout.splitlines())
    return done.returncode == USAGE and len(arguments) == 1 and missing


def measured(out: Path) -> list[Sample]:
    """[] where every test failed or was skipped: then there is no file."""
    try:
        run, _ = read_whole(out)
    except RunFileError:
        return []
    return sound(run)


def failed(output: str) -> str:
    """Their names, without what differs from process to process."""
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    names = [line.partition(" ")[2].partition(" - ")[0] for line in lines]
    return ", ".join(dict.fromkeys(names)) or "pytest does not say which"


def search_path(side: Side) -> str:
    """PYTHONPATH comes before what is installed: where a side is, the project's sources do not
    belong there."""
    own = side.path if side.origin == "factory" else []
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([*own, *([inherited] if inherited else [])])


def cure(output: str, side: Side) -> str:
    if "No module named pytest" in output:
        return f"Install it there: {side.executable} -m pip install pytest"
    return "Run pytest by hand to see more"
