"""Runs by name: a path, `latest`, or `latest~N` for the N-th before it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

LATEST = re.compile(r"latest(?:~(\d+))?")


def stored_runs() -> list[Path]:
    """Oldest first: the names begin with the time in UTC. A run that was ended while it still
    tried the loops left an empty file, and is none."""
    from loopgauge.harness.manager import RUNS

    return sorted(path for path in RUNS.glob("*.jsonl") if path.stat().st_size)


def find_run(name: str) -> Path:
    """The path may not exist; the reader of the file says so."""
    return find_kept(
        name, "run", stored_runs, ".bench/runs/",
        "Make one with `bench run`, or give the path of a run file",
    )  # fmt: skip


def stored_fleets() -> list[Path]:
    """Oldest first. One that was ended before it said what was asked is none."""
    from loopgauge.harness.fleet.folder import FLEETS, fleet_file

    return sorted(
        path for path in FLEETS.glob("*") if path.is_dir() and fleet_file(path).is_file()
        and fleet_file(path).stat().st_size
    )  # fmt: skip


def find_fleet(name: str) -> Path:
    """The same for the folders of runs on fleets."""
    return find_kept(
        name, "run on a fleet", stored_fleets, ".bench/fleets/",
        "Make one with `bench run --on`, or give the path of its folder",
    )  # fmt: skip


def find_kept(
    name: str, what: str, stored: Callable[[], Sequence[Path]], where: str, cure: str
) -> Path:
    """`latest` and `latest~N` are counted from the end of `stored`; all else is a path."""
    match = LATEST.fullmatch(name)
    if match is None:
        return Path(name)
    back = int(match[1] or 0)
    kept = stored()
    if back >= len(kept):
        raise Problem(
            ExitCode.UNREADABLE,
            f"there is no {what} {name!r}: {where} in this directory holds {len(kept) or 'none'}",
            cure,
        )
    return kept[-1 - back]


def import_from_here() -> Path:
    """Makes the modules of the current folder importable, and returns it: a console script has its
    own folder on sys.path, not the user's."""
    here = Path.cwd()
    sys.path.insert(0, str(here))
    return here


def shown(path: Path) -> str:
    """Relative where it is below the working directory, so that it can be typed."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
