"""System packages: install what is missing where we may, or print the one line to type."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devtools.shell import SetupError, output, run, say

# Loops of the native tier: what the build looks for, and the package that has it. A build without
# one names it in `bench list loops`.
NATIVE_LOOPS = {
    "uv.h": "libuv1-dev",
    "event2/event.h": "libevent-dev",
    "asio.hpp": "libasio-dev",
}
# What the deterministic tier counts with, by command. Without them it says what is missing, and
# their tests are skipped.
COUNTING = {"valgrind": "valgrind", "strace": "strace"}
# What the tests of the pages look at them with: one of these commands, or else the package.
# Without one those tests are skipped.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = "chromium"
# What the tests of shared histories start a server of. Debian keeps its programs off the PATH.
DATABASE = "postgresql"
DATABASE_PROGRAMS = Path("/usr/lib/postgresql")


def missing(*, tests: bool) -> list[str]:
    """Debian packages of which the build finds no trace. Benchmark and GoogleTest are optional:
    CMake fetches a pinned release when they are absent. So are those of NATIVE_LOOPS and of
    COUNTING, the browser and the database."""
    wanted = []
    if not (shutil.which("c++") or shutil.which("g++")):
        wanted.append("g++")
    if not shutil.which("cmake"):
        wanted.append("cmake")
    if not shutil.which("ninja"):
        wanted.append("ninja-build")
    if not _library("benchmark"):
        wanted.append("libbenchmark-dev")
    if tests and not _library("GTest"):
        wanted.append("libgtest-dev")
    if tests:
        wanted += [package for command, package in COUNTING.items() if not shutil.which(command)]
        if not any(map(shutil.which, BROWSERS)):
            wanted.append(BROWSER)
        if not any(DATABASE_PROGRAMS.glob("*/bin/initdb")):
            wanted.append(DATABASE)
    return wanted + [package for header, package in NATIVE_LOOPS.items() if not _header(header)]


def ensure(*, tests: bool) -> None:
    """Install what is missing. Raises SetupError with the line to type where we may not."""
    wanted = missing(tests=tests)
    if not wanted:
        return
    fetchable = {"libbenchmark-dev", "libgtest-dev"}
    optional = fetchable.union(NATIVE_LOOPS.values(), COUNTING.values(), [BROWSER, DATABASE])
    if _apt() is None and optional.issuperset(wanted) and shutil.which("git"):
        fetched = sorted(fetchable.intersection(wanted))
        if fetched:
            say(f"not installed, so built from source: {', '.join(fetched)}")
        return
    install(wanted)


def ensure_command(command: str, package: str) -> None:
    if not shutil.which(command):
        install([package])


def install(names: list[str]) -> None:
    """apt-get install. Raises SetupError with the line to type where we may not."""
    apt = _apt()
    if apt is None:
        raise SetupError(f"missing system packages; type: sudo apt-get install {' '.join(names)}")
    say(f"installing {' '.join(names)}")
    run([*apt, "-q", "update"], quiet=True)
    run([*apt, "-q", "-y", "install", "--no-install-recommends", *names], quiet=True)


def _apt() -> list[str] | None:
    if not shutil.which("apt-get"):
        return None
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if os.geteuid() == 0:
        return apt
    if output(["sudo", "-n", "true"]) is not None:
        return ["sudo", "-n", *apt]
    return None


def _header(name: str) -> bool:
    return any((prefix / "include" / name).exists() for prefix in _prefixes())


def _library(name: str) -> bool:
    """Whether CMake would find the package in the usual prefixes."""
    return any(any(prefix.glob(f"lib*/**/cmake/{name}")) for prefix in _prefixes())


def _prefixes() -> list[Path]:
    named = os.environ.get("CMAKE_PREFIX_PATH", "").split(":")
    return [Path("/usr"), Path("/usr/local"), *(Path(p) for p in named if p)]
