"""What the studies of the gate share: gates in processes of their own, each made once, and figures
as JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopgauge.harness.gate.model import Decision, GateResult
from loopgauge.harness.gate.store import FILE, GateFile, read_gate
from loopgauge.harness.store import read_run

HERE = Path(__file__).resolve().parent
JUDGED = frozenset(range(7)) - {2}  # exit codes of a gate that came to its end


@dataclass(frozen=True)
class Gate:
    file: GateFile
    result: GateResult

    def of(self, tier: str) -> list[Decision]:
        return [one for one in self.result.decisions if one.tier == tier]

    @property
    def timing_s(self) -> float:
        """Wall time of both stages, as the run files tell: of this session, and of those before."""
        paths = (self.file.folder / f"{name}.jsonl" for name in ("timing", "confirmation"))
        return sum(end.wall_s for path in paths if path.exists() for end in read_run(path).ends)


def gate(
    folder: Path, *arguments: str, cwd: Path = HERE, environment: Mapping[str, str] | None = None
) -> Gate:
    """Runs `bench gate ARGUMENTS --out FOLDER`; goes on with one that was interrupted, and leaves
    one alone that has come to its end. Raises SystemExit where there is no result."""
    found = read_gate(folder) if (folder / FILE).exists() else None
    if found is None or found.result is None:
        where = ["--out", str(folder), *arguments] if found is None else ["--resume", str(folder)]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "loopgauge.harness.cli", "gate", *where],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
        )
        if done.returncode not in JUDGED:
            raise SystemExit(f"bench gate ended with {done.returncode}:\n{done.stderr[-2000:]}")
        found = read_gate(folder)
    if found.result is None:
        raise SystemExit(f"{folder} holds no result")
    return Gate(found, found.result)


def keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Adds a line to what a study has found; a page can take its numbers from there."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dict(figures)) + "\n")


def said(decision: Decision) -> str:
    """ "throughput.sleep0 +2.1% [+1.2%, +3.0%] REGRESSED"."""
    if decision.change is None or decision.low is None or decision.high is None:
        return f"{decision.subject} {decision.verdict} {decision.reason}".rstrip()
    interval = f"[{decision.low:+.2%}, {decision.high:+.2%}]"
    return f"{decision.subject} {decision.change:+.2%} {interval} {decision.verdict}"
