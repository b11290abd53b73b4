"""One job on every supported Python, and a table of where each Python came from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from devtools import build, check, environment, pythons
from devtools.pythons import Interpreter
from devtools.shell import SetupError, say, status

Job = Callable[[Interpreter], str]  # says how it went: "ok...", or something else


def matrix(versions: Sequence[str], job: Job) -> int:
    """0 when every Python was there and went well. Each is set up and built first."""
    rows = []
    for version in versions:
        say(f"Python {version}")
        started = time.monotonic()
        release, origin, verdict = _one(version, job)
        rows.append((version, release, origin, f"{time.monotonic() - started:.0f} s", verdict))
    _print(rows)
    return 0 if all(row[-1].startswith("ok") for row in rows) else 1


def tests(arguments: Sequence[str]) -> Job:
    """The C++ and the Python tests."""

    def run(python: Interpreter) -> str:
        ctest_code, ctest_summary = check.cpp_tests(python)
        pytest_code, pytest_summary = check.python_tests(python, arguments)
        word = "FAILED" if ctest_code or pytest_code else "ok"
        return f"{word}: {ctest_summary}; {pytest_summary.strip('= ')}"

    return run


def conformance(arguments: Sequence[str]) -> Job:
    """`bench conformance` of stock asyncio and the built-in loop, or as `arguments` say."""

    def run(python: Interpreter) -> str:
        launcher = str(python.launcher)
        bench = [launcher, "-m", "loopgauge.harness.cli", "conformance", *arguments]
        code = status(bench)
        return f"FAILED: exit code {code}" if code else "ok"

    return run


def _one(version: str, job: Job) -> tuple[str, str, str]:
    try:
        python = pythons.find(version)
    except SetupError as error:
        return "-", "-", str(error)
    try:
        environment.ensure(python, dev=True)
        build.build(python)
    except SetupError as error:
        return python.release, python.origin, f"failed: {error}"
    return python.release, python.origin, job(python)


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    table = [("Python", "release", "from", "time", "result"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    print()
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        print("  ".join([*cells, row[4]]))
