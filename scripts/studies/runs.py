"""What the studies share: one `bench run` in a process of its own, read back and judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loopgauge.harness.store import read_run
from loopgauge.harness.summary import RunSummary, summarise

HERE = Path(__file__).resolve().parent


def measure(out: Path, *arguments: str, reference: str = "") -> RunSummary:
    """Runs `bench run ARGUMENTS --out OUT`, unless the file is there already, and judges it.

    Raises CalledProcessError when nothing was measured. A left-out loop (exit code 6) is no
    failure.
    """
    if not out.exists():
        command = [sys.executable, "-m", "loopgauge.harness.cli", "run", *arguments]
        done = subprocess.run([*command, "--out", str(out)], cwd=HERE, stdout=subprocess.DEVNULL)
        if done.returncode not in (0, 6):
            raise subprocess.CalledProcessError(done.returncode, command)
    return finished(out, reference)


def finished(out: Path, reference: str = "") -> RunSummary:
    """Judges a run file. Half a run is none: a study must not count it as measured."""
    run = read_run(out)
    if not run.complete:
        raise SystemExit(f"{out} is not finished: remove it, and it is measured again")
    return summarise(run, reference=reference)
