"""Runs a small Python program in a fresh interpreter, on the loop under test.

For what cannot be shown inside the test process: signals that end it, Ctrl-C, forks, counts of
system calls, packages that patch asyncio, and anything that hangs when it is broken.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from loop_testing import target

#: Seconds until a program counts as hung. Generous: two slow cores may be shared by many tests.
PATIENCE = 60.0

TESTS = Path(__file__).resolve().parent.parent

PROLOGUE = """\
import faulthandler, signal
faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)
import asyncio, os, sys, threading, time
from loop_testing import target
new_loop = target.target_factory()
"""


def environment(loop: str | None = None, extra: Mapping[str, str] = {}) -> dict[str, str]:
    """The parent's environment with the helpers importable and the loop named."""
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        target.VARIABLE: loop or target.target_name(),
        **extra,
    }


def python(
    program: str,
    *,
    loop: str | None = None,
    options: Sequence[str] = (),
    env: Mapping[str, str] = {},
    wrapper: Sequence[str] = (),
    prologue: str = PROLOGUE,
    timeout: float = PATIENCE,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    """Runs `program` after PROLOGUE (`new_loop` is the factory) and captures its output.

    `wrapper` goes before the interpreter (strace and its options). Raises TimeoutExpired when
    the program hangs; the exit status is the caller's to judge.
    """
    source = prologue + textwrap.dedent(program)
    return subprocess.run(
        [*wrapper, sys.executable, *options, "-c", source],
        env=environment(loop, env),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=stdin,
        restore_signals=True,
    )


def output(program: str, **options: object) -> str:
    """What `program` printed; fails with its errors when it did not exit with 0."""
    done = python(program, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, describe(done)
    return done.stdout


def describe(done: subprocess.CompletedProcess[str]) -> str:
    """One readable text for an assertion: how it ended and what it said."""
    ended = f"exit status {done.returncode}"
    if done.returncode < 0:
        ended = f"killed by {signal.Signals(-done.returncode).name}"
    return f"{ended}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
