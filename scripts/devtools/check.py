"""Lint and tests. Each step runs to its end; what failed is named once more at the end."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from devtools.pythons import Interpreter
from devtools.shell import ROOT, say, status

ROOMS = ("loops", "harness", "scenarios", "conformance", "reports")


def lint(python: Interpreter, *, fix: bool = False) -> list[str]:
    """The names of the steps that failed. With `fix`, format instead of complaining."""
    failed = []
    for name, command in _lint_steps(python, fix=fix):
        say(name)
        if status(command):
            failed.append(name)
    return failed


def _lint_steps(python: Interpreter, *, fix: bool) -> list[tuple[str, list[str]]]:
    def tool(name: str, *words: str) -> list[str]:
        return [str(python.launcher), "-m", name, *words]

    pyroot = python.build_dir("release") / "pyroot"
    clang_format = python.inside(python.venv / "bin" / "clang-format")
    cpp = [str(path) for path in cpp_sources()]
    steps = [
        ("ruff format", tool("ruff", "format", "-q", *([] if fix else ["--check"]), ".")),
        ("ruff check", tool("ruff", "check", "-q", *(["--fix"] if fix else []), ".")),
    ]
    if cpp:
        words = ["-i"] if fix else ["--dry-run", "-Werror", "--ferror-limit=1"]
        steps.append(("clang-format", [*clang_format, *words, *cpp]))
    if not fix:
        mypy = ["env", f"MYPYPATH={pyroot}", *tool("mypy", "-p", "loopgauge")]
        steps.append(("mypy --strict", mypy))
        scripts = tool("mypy", "scripts/devtools", "scripts/docsite")
        steps.append(("mypy --strict scripts", ["env", f"MYPYPATH={pyroot}", *scripts]))
        paths = [f"MYPYPATH={pyroot}", f"PYTHONPATH={pyroot}"]
        program = str(ROOT / "scripts" / "check_stubs.py")
        steps.append(("stubtest", ["env", *paths, str(python.launcher), program]))
    return steps


def cpp_sources() -> list[Path]:
    """Every C++ file of ours."""
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.[ch]pp")]
    return sorted(found)


def tidy(python: Interpreter) -> int:
    """clang-tidy over what the release build compiles."""
    folder = python.build_dir("release")
    sources = [str(path) for path in cpp_sources() if path.suffix == ".cpp"]
    return status(["run-clang-tidy", "-quiet", "-p", str(folder), "-j", "2", *sources])


def cpp_tests(python: Interpreter, preset: str = "release", **env: str) -> tuple[int, str]:
    """CTest's exit code and its summary line."""
    say(f"C++ tests ({preset})")
    folder = python.build_dir(preset)
    command = [
        *(f"{key}={value}" for key, value in env.items()),
        "ctest",
        "--test-dir",
        str(folder),
        "--no-tests=error",  # otherwise finding none counts as success
    ]
    words = python.inside("env", *command, "--output-on-failure", "-j", "2")
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    summary = "No tests were found!!!"
    assert process.stdout
    for line in process.stdout:
        if re.match(r"\d+% tests passed", line):
            summary = line.strip()
        elif not re.search(r"Start +\d+:|\bPassed\b", line):
            sys.stdout.write(line)
    return process.wait(), summary


def python_tests(python: Interpreter, arguments: Sequence[str] = (), **env: str) -> tuple[int, str]:
    """pytest's exit code and its summary line, which is printed as it comes."""
    say(f"Python tests ({python.release})")
    settings = ["env", *(f"{key}={value}" for key, value in env.items())]
    words = python.inside(*settings, python.venv / "bin/python", "-m", "pytest", *arguments)
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    summary = ""
    assert process.stdout
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if re.search(r"(\d+ [a-z]+|no tests ran).* in \d[\d.]*s\b", line):
            summary = line.strip()
    code = process.wait()
    return code, summary or f"pytest ended without a summary, exit code {code}"


#: Examples between two looks at the clock: about half a minute for each test.
ROUND = 500


def properties(python: Interpreter, minutes: float, arguments: Sequence[str]) -> int:
    """The property-based tests of the loops with ever new examples; stops at the first failure."""
    until = time.monotonic() + 60 * minutes
    code = 0
    while code == 0 and time.monotonic() < until:
        code, _ = python_tests(
            python,
            arguments or ["loops/tests/test_exact_bytes.py", "loops/tests/test_exact_streams.py"],
            LOOPGAUGE_PROPERTY_EXAMPLES=str(ROUND),
        )
    return code


def everything(python: Interpreter, arguments: Sequence[str]) -> int:
    """scripts/test after the set-up. The last two lines are CTest's and pytest's summaries."""
    from devtools import wheel

    failed = lint(python)
    if not arguments and wheel.check(python):
        failed.append("wheel")
    ctest_code, ctest_summary = cpp_tests(python)
    pytest_code, pytest_summary = python_tests(python, arguments)
    if ctest_code:
        failed.append("C++ tests")
    if pytest_code:
        failed.append("Python tests")
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nlint and wheel passed")
    print(ctest_summary)
    print(pytest_summary)
    return 1 if failed else 0
