"""`--loop-benchmark-processes N`: the benchmarks of this session again, in N - 1 more processes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopgauge.harness.errors import RunFileError
from loopgauge.harness.model import AnyRecord, Event
from loopgauge.harness.pytesting.processes import Fresh, sound, tail
from loopgauge.harness.store import RunFile, read_whole


def further_rounds(config: pytest.Config, run: RunFile) -> Iterator[list[AnyRecord]]:
    """The samples of one process after the other. One that fails costs only its own."""
    wanted = config.getoption("loop_benchmark_processes")
    with tempfile.TemporaryDirectory(prefix="loop-benchmark-") as folder:
        for number in range(1, wanted):
            say(config, f"loop benchmarks: process {number + 1} of {wanted}")
            fresh = Fresh(
                executable=sys.executable,
                arguments=arguments(config, Path(folder)),
                out=Path(folder) / f"{number}.jsonl",
                round=number,
                seed=run.header.seed,
                flags=() if finds_working_folder() else ("-P",),
            )
            done = fresh.run()
            found = samples(fresh.out, run)
            if done.returncode:
                why = f"process {number + 1} of {wanted} failed: {tail(done.stdout)}"
                found.append(Event(event="note", process=number + 1, reason=why))
            yield found
    say(config, "")


def arguments(config: pytest.Config, folder: Path) -> list[str]:
    given = [str(argument) for argument in config.invocation_params.args]
    if config.pluginmanager.hasplugin("junitxml"):
        given.append(f"--junitxml={folder / 'junit.xml'}")
    return given


def samples(path: Path, run: RunFile) -> list[AnyRecord]:
    """What the process measured of what this run is about."""
    try:
        other, _ = read_whole(path)
    except RunFileError:
        return []
    benchmarks = {benchmark.id for benchmark in run.header.benchmarks}
    arms = {arm.label for arm in run.header.arms}
    return [
        *(event for event in other.events if event.event == "worker"),
        *(s for s in sound(other) if s.benchmark in benchmarks and s.arm in arms),
    ]


def finds_working_folder() -> bool:
    """`python -m pytest` puts it on sys.path, the command `pytest` does not."""
    return bool({"", str(Path.cwd())} & set(sys.path))


def say(config: pytest.Config, text: str) -> None:
    """A line that the next one replaces, for eyes only."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and terminal.isatty and not config.option.verbose < 0:
        terminal.rewrite(text, erase=True)
