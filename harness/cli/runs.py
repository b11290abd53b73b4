"""Runs by name: a path, `latest`, or `latest~N` for the N-th before it."""

from __future__ import annotations

import re
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
    match = LATEST.fullmatch(name)
    if match is None:
        return Path(name)
    back = int(match[1] or 0)
    runs = stored_runs()
    if back >= len(runs):
        raise Problem(
            ExitCode.UNREADABLE,
            f"there is no run {name!r}: .bench/runs/ in this directory holds {len(runs) or 'none'}",
            "Make one with `bench run`, or give the path of a run file",
        )
    return runs[-1 - back]


def shown(path: Path) -> str:
    """Relative where it is below the working directory, so that it can be typed."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
