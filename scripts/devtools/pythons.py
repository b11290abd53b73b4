"""Which Python interpreters this machine has, and where each came from."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devtools import forky, packages
from devtools.shell import ROOT, SetupError, output

SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
FROM_FORKY = frozenset({"3.14", "3.15"})

_PROBE = """
import importlib.util, os, sys, sysconfig
header = os.path.join(sysconfig.get_path("include"), "Python.h")
complete = os.path.exists(header) and importlib.util.find_spec("ensurepip") is not None
print("%d.%d" % sys.version_info[:2], sys.version.split()[0], sys.implementation.name, complete)
"""


@dataclass(frozen=True)
class Interpreter:
    """One CPython and how to start it: `prefix` enters the root folder that it lives in."""

    version: str
    release: str
    path: str
    origin: str
    prefix: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return "cp" + self.version.replace(".", "")

    @property
    def venv(self) -> Path:
        return ROOT / ".venv" / self.tag

    @property
    def launcher(self) -> Path:
        """An executable that runs the environment's Python from anywhere on the host."""
        return ROOT / ".venv" / f"python{self.version}"

    def build_dir(self, preset: str) -> Path:
        return ROOT / "build" / f"{preset}-{self.tag}"

    def inside(self, *words: str | Path) -> list[str]:
        """The command line that runs `words` where this interpreter lives."""
        return [*self.prefix, *map(str, words)]


def find(wanted: str | None = None, *, make: bool = True) -> Interpreter:
    """The interpreter for "3.14", a path or a command; None is the one that runs this.

    With `make`, a Python that no installer of this machine has comes from the forky root folder.
    Raises SetupError when there is none.
    """
    if not wanted:
        return _complete(_base_executable(), "the running Python")
    if wanted not in SUPPORTED:
        return _complete(shutil.which(wanted) or wanted, "named")
    for candidate, origin in _candidates(wanted):
        found = _probe(candidate, origin)
        if found and found.version == wanted:
            return found
    if wanted in FROM_FORKY and (make or forky.exists()):
        forky.provide()
        return _complete(f"/usr/bin/python{wanted}", "Debian forky", forky.prefix())
    raise SetupError(f"no Python {wanted} with its headers here; type: pyenv install {wanted}")


def _base_executable() -> str:
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _candidates(version: str) -> Iterator[tuple[str, str]]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in _newest_first(pyenv / "versions", f"{version}.*"):
        yield str(folder / "bin" / "python"), "pyenv"
    uv = Path.home() / ".local/share/uv/python"
    for folder in _newest_first(uv, f"cpython-{version}.*"):
        yield str(folder / "bin" / f"python{version}"), "uv"
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        program = Path(entry) / f"python{version}"
        if program.is_file() and "shims" not in program.parts:
            yield str(program.resolve()), "PATH"


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    def numbers(path: Path) -> list[int]:
        return [int(digits) for digits in re.findall(r"\d+", path.name)]

    return sorted(folder.glob(pattern), key=numbers, reverse=True)


def _probe(path: str, origin: str, prefix: tuple[str, ...] = ()) -> Interpreter | None:
    """None where the path starts no CPython that could build an extension."""
    answer = (output([*prefix, path, "-c", _PROBE]) or "").split()
    if len(answer) != 4 or answer[2:] != ["cpython", "True"] or answer[0] not in SUPPORTED:
        return None
    return Interpreter(answer[0], answer[1], path, origin, prefix)


def _complete(path: str, origin: str, prefix: tuple[str, ...] = ()) -> Interpreter:
    """Like _probe, but adds what Debian and Ubuntu leave out of their own Python."""
    found = _probe(path, origin, prefix)
    if found is None and not prefix and Path(path).resolve().parent == Path("/usr/bin"):
        name = Path(path).resolve().name
        packages.install([f"{name}-dev", f"{name}-venv"])
        found = _probe(path, origin)
    if found is None:
        raise SetupError(
            f"{path} is no CPython {SUPPORTED[0]} to {SUPPORTED[-1]} with headers and ensurepip"
        )
    return found
