"""The deliberate faults of conformance/mutants/*.toml, and the copy of the sources they go into.

A fault is data: a file of the built-in loop, a piece of text that occurs there exactly once, and
what stands there instead. The checkout is never touched.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devtools.pythons import Interpreter
from devtools.shell import ROOT, SetupError, run

FOLDER = ROOT / "conformance" / "mutants"

#: What a copy does not need: what is built, measured or versioned.
_LEFT_OUT = (".git", ".venv", ".bench", ".ci", "build", "dist", "__pycache__", ".*_cache")


@dataclass(frozen=True)
class Fault:
    """One mistake somebody could have made."""

    id: str
    area: str
    file: str
    find: str
    replace: str
    breaks: str

    @property
    def is_native(self) -> bool:
        return not self.file.endswith(".py")

    def occurrences(self, root: Path) -> int:
        """How often the text to replace is in its file, which should be once."""
        return (root / self.file).read_text(encoding="utf-8").count(self.find)


def load(folder: Path = FOLDER) -> list[Fault]:
    """Every fault, in the order of the files."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        found += [Fault(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["fault"]]
    return found


def select(faults: Sequence[Fault], words: Sequence[str]) -> list[Fault]:
    """The faults whose id or area contains one of the words; all without words."""
    for word in words:
        if not any(word in fault.id or word in fault.area for fault in faults):
            raise SetupError(f"no fault and no area is called {word!r}; see {FOLDER.name}/*.toml")
    return [
        fault
        for fault in faults
        if not words or any(word in fault.id or word in fault.area for word in words)
    ]


def table(faults: Sequence[Fault]) -> str:
    """What breaks for whom, by area."""
    return "\n".join(f"{fault.area}: {fault.id}\n    {fault.breaks}" for fault in faults)


class Copy:
    """The sources in a folder of their own, with a build folder that stays warm."""

    def __init__(self, folder: Path, python: Interpreter) -> None:
        self.folder = folder
        self.python = python
        self._build = folder / "build" / f"release-{python.tag}"

    @property
    def pyroot(self) -> Path:
        """What goes into PYTHONPATH: it wins over the environment's own development tree."""
        return self._build / "pyroot"

    def make(self) -> None:
        """Copies and compiles the sound sources."""
        ignore = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(ROOT, self.folder, ignore=ignore, dirs_exist_ok=True, symlinks=True)
        self._cmake(
            *("--preset", "release", "-B", str(self._build)),
            f"-DPython_EXECUTABLE={self.python.venv}/bin/python",
            "-DLOOPGAUGE_TESTS=OFF",
            "-DLOOPGAUGE_HAS_LTO=OFF",  # half of the time of a build, and no matter of behaviour
        )
        self.build()

    def build(self) -> None:
        """Compiles what has changed. SetupError with the compiler's words if it does not."""
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", "2")
        self._cmake("--build", str(self._build), "-j", jobs, "--target", "_core")

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """The copy with this fault, compiled. It is sound again afterwards, but not compiled."""
        path = self.folder / fault.file
        sound = path.read_text(encoding="utf-8")
        if sound.count(fault.find) != 1:
            raise SetupError(f"{fault.id}: its text is not in {fault.file} exactly once")
        try:
            path.write_text(sound.replace(fault.find, fault.replace), encoding="utf-8")
            self.build()  # for a fault in Python, too: the one before it may have been native
            yield
        finally:
            path.write_text(sound, encoding="utf-8")

    def _cmake(self, *words: str) -> None:
        path = f"PATH={self.python.venv / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        run(self.python.inside("env", path, "cmake", *words), cwd=self.folder, quiet=True)
