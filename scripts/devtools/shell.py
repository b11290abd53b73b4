"""Running other programs, and the errors a developer sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXIT_ENVIRONMENT = 8


class SetupError(Exception):
    """Something outside the checkout is missing; the text names the cure."""


def say(text: str) -> None:
    """One short progress line on stderr, so that stdout stays the command's own."""
    print(f"· {text}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
    silent: bool = False,
) -> None:
    """Run to completion. A quiet command's output is shown when it fails, a silent one's never.

    Raises SetupError with the command line and its exit code.
    """
    words = [str(word) for word in command]
    result = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet or silent else sys.stderr,
        stderr=subprocess.STDOUT if quiet or silent else None,
        check=False,
        text=True,
    )
    if result.returncode:
        if quiet:
            print(result.stdout, file=sys.stderr)
        raise SetupError(f"exit code {result.returncode} from: {' '.join(words)}")


def status(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
    """Run with the terminal inherited and return the exit code."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        check=False,
    ).returncode


def output(command: Sequence[str | Path]) -> str | None:
    """The stripped stdout of a command, or None where it fails or does not exist."""
    try:
        result = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
