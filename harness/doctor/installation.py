"""What is installed, set and missing: Python, loops, tools, variables, and room for results."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loopgauge.harness import environment, interpreter
from loopgauge.harness.deterministic import tools
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.model import Interpreter

DISK_NEEDED = 100 << 20  # a full run file has about 5 MB


def python_findings(python: Interpreter) -> Iterator[Finding]:
    name = f"CPython {python.version} ({python.build_kind})"
    if python.build_hash == interpreter.NO_EXTENSIONS:
        yield Finding(
            check="build",
            level="problem",
            found="loopgauge's extension modules are not there",
            cure="In a checkout: scripts/dev build. Otherwise: pip install --force-reinstall "
            "loopgauge",
        )
    if python.debug:
        yield Finding(
            check="python",
            level="problem",
            found=f"{name}: a debug build",
            meaning="Its figures say nothing about the Python that people run",
            cure="Use a release build: --python PATH",
        )
    elif not python.optimized:
        yield Finding(
            check="python",
            level="warning",
            found=f"{name}: built without --enable-optimizations",
            meaning="It makes stock asyncio look slow and native loops look good",
            cure="Use your distribution's Python, or build with --enable-optimizations "
            "(pyenv: PYTHON_CONFIGURE_OPTS=--enable-optimizations)",
        )
    else:
        yield Finding(check="python", level="ok", found=name)


def loop_findings(loops: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    there = [
        f"{name} {facts['version']}".strip() for name, facts in loops.items() if facts["available"]
    ]
    yield Finding(check="loops", level="ok", found=", ".join(there) or "none")
    for name, facts in loops.items():
        if not facts["available"]:
            yield Finding(check="loops", level="info", found=f"{name}: {facts['reason']}")


def variable_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(variables):
        if name in environment.REMOVED - {"PYTHONHASHSEED"} or name.startswith(
            environment.REMOVED_PREFIXES
        ):
            yield Finding(
                check="environment",
                level="info",
                found=f"{name} is set",
                meaning="Workers run without it: it would change what is measured",
            )
        elif name in ("LD_PRELOAD", "PYTHONMALLOC", "GLIBC_TUNABLES"):
            yield Finding(
                check="environment",
                level="info",
                found=f"{name}={variables[name]}",
                meaning="Workers have it too, and it is recorded with the run",
            )


def store_findings(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        yield Finding(
            check="store",
            level="problem",
            found=f"{folder} is not writable",
            cure="Run bench in a folder of yours, or give --out",
        )
    elif free < DISK_NEEDED:
        yield Finding(
            check="store",
            level="warning",
            found=f"{free >> 20} MiB of disk left",
            meaning="A full run file has about 5 MB; plots and reports more",
            cure="Make room, or give --out on another disk",
        )
    else:
        yield Finding(check="store", level="ok", found=f"{free >> 30} GiB of disk left")


def counting_findings(found: Mapping[str, tools.Tool], no_counters: str) -> Iterator[Finding]:
    """What the deterministic tier and `bench explain` count with."""
    for how, tool in found.items():
        if tool.version:
            yield Finding(check="counting", level="ok", found=tool.version)
        else:
            what = tools.NEEDED_FOR[how]
            meaning = f"--tier deterministic and bench explain go without {what}"
            yield Finding(
                check="counting", level="info", found=tool.reason, meaning=meaning, cure=tool.cure
            )
    if no_counters:
        yield Finding(
            check="counters",
            level="info",
            found=f"the processor's counters cannot be read: {no_counters}",
            meaning="No cycles, cache misses and branch misses; everything else is counted",
            cure="Virtual machines seldom offer them; on bare metal: "
            "sudo sysctl kernel.perf_event_paranoid=2",
        )


def tool_findings() -> Iterator[Finding]:
    """What `bench gate` builds its two sides with."""
    if shutil.which("git") is None:
        yield Finding(
            check="tools",
            level="info",
            found="git is not installed",
            meaning="bench gate compares no revisions; wheels and environments it does",
            cure="Install git with your distribution's package manager: sudo apt-get install git",
        )
    if importlib.util.find_spec("pip") is None:
        yield Finding(
            check="tools",
            level="info",
            found="this Python has no pip",
            meaning="bench gate builds no revisions and installs no wheels",
            cure="python -m ensurepip",
        )


def missing_counters() -> str:
    """Why the processor's counters are not there, in the kernel's words; "" where they are."""
    try:
        engine = importlib.import_module("loopgauge._bench")
    except ImportError:
        return ""  # `build` says so
    return str(engine.HardwareCounters().reason)
