"""What the words of `bench report` are: runs, conformance results, gates, fleets, or nothing of
ours."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.store import RunFile


@dataclass
class Given:
    """Each file once, in the order of the words. A run may turn out to be none when it is read."""

    runs: list[Path] = field(default_factory=list)
    verdicts: list[Path] = field(default_factory=list)
    gates: list[Path] = field(default_factory=list)
    fleets: list[Path] = field(default_factory=list)


def given(names: Sequence[str]) -> Given:
    """Raises Problem for a folder that neither a gate nor a fleet has written."""
    from loopgauge.harness.cli.runs import find_run
    from loopgauge.harness.fleet.folder import is_fleet

    found = Given()
    for path in {path.resolve(): path for path in map(find_run, names)}.values():
        if is_gate(path):
            found.gates.append(path)
        elif is_fleet(path):
            found.fleets.append(path if path.is_dir() else path.parent)
        elif path.is_dir():
            raise Problem(ExitCode.UNREADABLE, *about_folder(path))
        elif is_verdicts(path):
            found.verdicts.append(path)
        else:
            found.runs.append(path)
    return found


def is_gate(path: Path) -> bool:
    """The folder of `bench gate`, or the file in it that says what it is."""
    from loopgauge.harness.gate.store import FILE
    from loopgauge.harness.packed import there, without_packing

    return there(path / FILE).is_file() or (without_packing(path.name) == FILE and path.is_file())


def is_verdicts(path: Path) -> bool:
    """The result of a conformance run, packed or not, of whatever schema."""
    from loopgauge.conformance.store import is_result
    from loopgauge.harness.packed import first_line

    return path.is_file() and is_result([first_line(path)])


def about_folder(path: Path) -> tuple[str, str]:
    inside = len([*path.glob("*.jsonl*")])
    if inside:
        words = f"{path} is a folder with {inside} result file{'s' if inside > 1 else ''}"
        cure = f"Give the files themselves, or make a site: bench site {shlex.quote(str(path))}"
        return f"{words}, and neither a gate nor a fleet", cure
    return f"{path} is a folder without a result", "Give a file that `bench` wrote"


def unjoined(verdicts: Sequence[Path], runs: Sequence[RunFile]) -> Iterator[Path]:
    """Those that say nothing of these runs: other loops, other builds of them or other Pythons."""
    from loopgauge.harness.verdicts import Verdicts, verdicts_in

    for path in verdicts:
        found = Verdicts()
        for verdict in verdicts_in(path):
            found.add(verdict)
        if not any(
            found.known(arm, run.header.environment.interpreters[arm.python])
            for run in runs
            for arm in run.header.arms
        ):
            yield path
