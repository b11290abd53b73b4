"""Configure and compile one preset for one Python: build/<preset>-<tag>."""

from __future__ import annotations

import os
from pathlib import Path

from devtools import environment
from devtools.pythons import Interpreter
from devtools.shell import run, say

PRESETS = ("release", "debug", "asan", "tsan", "fuzz")


def build(python: Interpreter, preset: str = "release", *, tests: bool = True) -> Path:
    """Returns the build folder. The release build becomes what the environment imports."""
    folder = python.build_dir(preset)
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(len(os.sched_getaffinity(0))))
    say(f"build {folder.name}")
    bin_folder = python.venv / "bin"
    path = f"PATH={bin_folder}:/usr/local/bin:/usr/bin:/bin"
    cmake = python.inside("env", path, "cmake")
    configure = [*cmake, "--preset", preset, "-B", str(folder)]
    configure.append(f"-DPython_EXECUTABLE={bin_folder}/python")
    configure.append(f"-DLOOPGAUGE_TESTS={'ON' if tests and preset != 'fuzz' else 'OFF'}")
    if _needs_configure(folder, tests=tests):
        run(configure, quiet=True)
    if preset == "release":
        environment.link_tree(python, folder / "pyroot")
    run([*cmake, "--build", str(folder), "-j", jobs, "--", "-k", "0"], quiet=True)
    (folder / ".built").touch()
    return folder


def _needs_configure(folder: Path, *, tests: bool) -> bool:
    """Ninja configures again by itself when a CMake file changes."""
    cache = folder / "CMakeCache.txt"
    if not (folder / "build.ninja").exists() or not cache.exists():
        return True
    return f"LOOPGAUGE_TESTS:BOOL={'ON' if tests else 'OFF'}" not in cache.read_text()
