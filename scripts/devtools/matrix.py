"""The tests on every supported Python, and a table of where each Python came from."""

from __future__ import annotations

import time
from collections.abc import Sequence

from devtools import build, check, environment, pythons
from devtools.shell import SetupError, say


def matrix(versions: Sequence[str], arguments: Sequence[str], *, tests: bool) -> int:
    """0 when every Python was there and passed."""
    rows = []
    for version in versions:
        say(f"Python {version}")
        started = time.monotonic()
        release, origin, verdict = _one(version, arguments, tests=tests)
        rows.append((version, release, origin, f"{time.monotonic() - started:.0f} s", verdict))
    _print(rows)
    return 0 if all(row[-1].startswith("ok") for row in rows) else 1


def _one(version: str, arguments: Sequence[str], *, tests: bool) -> tuple[str, str, str]:
    try:
        python = pythons.find(version)
    except SetupError as error:
        return "-", "-", str(error)
    try:
        environment.ensure(python, dev=True)
        build.build(python)
    except SetupError as error:
        return python.release, python.origin, f"failed: {error}"
    if not tests:
        return python.release, python.origin, "ok"
    ctest_code, ctest_summary = check.cpp_tests(python)
    pytest_code, pytest_summary = check.python_tests(python, arguments)
    word = "FAILED" if ctest_code or pytest_code else "ok"
    return python.release, python.origin, f"{word}: {ctest_summary}; {pytest_summary.strip('= ')}"


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    table = [("Python", "release", "from", "time", "result"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    print()
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        print("  ".join([*cells, row[4]]))
