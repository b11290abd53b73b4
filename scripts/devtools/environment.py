"""The private virtual environment of one Python: dependencies, peers, the `bench` command."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devtools.pythons import Interpreter
from devtools.shell import ROOT, SetupError, output, run, say

LOCK = ROOT / "scripts" / "requirements.lock"
# Extras whose versions are in there.
LOCKED = ("dev", "peers", "fleet", "postgresql", "ecosystem", "docs")
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "-q")


def key() -> str:
    """Changes when the environment must be made again; scripts/bench computes the same."""
    project, *_ = (ROOT / "pyproject.toml").read_text().partition("[tool.")
    return hashlib.sha256((project + LOCK.read_text()).encode()).hexdigest()


def ensure(python: Interpreter, *, dev: bool) -> None:
    """Make or complete the environment. Peers without a wheel are left out, with the reason."""
    stamp = python.venv / (".ready-dev" if dev else ".ready")
    ready = [python.venv / ".ready-dev"] if dev else [stamp, python.venv / ".ready-dev"]
    if any(path.exists() and path.read_text() == key() for path in ready) and _starts(python):
        return
    _create(python)
    _install_dependencies(python, dev=dev)
    _install_where_there_are_wheels(python, "peers", "other event loops")
    _install_where_there_are_wheels(python, "fleet", "packages for fleets")
    _install_where_there_are_wheels(python, "postgresql", "packages for PostgreSQL")
    if dev:
        _install_where_there_are_wheels(python, "ecosystem", "packages of the ecosystem")
        _install_where_there_are_wheels(python, "docs", "packages of the documentation")
    _write_command(python)
    stamp.write_text(key())


@contextmanager
def locked() -> Iterator[None]:
    """Two first starts at once would write the same files."""
    folder = ROOT / ".venv"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pip(python: Interpreter, *words: str | Path) -> list[str]:
    return python.inside(python.venv / "bin/python", *PIP, *words)


def _starts(python: Interpreter) -> bool:
    return (
        python.launcher.exists()
        and output([python.launcher, "-c", "import sys; print(sys.version.split()[0])"])
        == python.release
    )


def _create(python: Interpreter) -> None:
    venv = python.venv
    if _starts(python):
        return
    say(f"virtual environment for Python {python.release} ({python.origin})")
    shutil.rmtree(venv, ignore_errors=True)
    venv.parent.mkdir(exist_ok=True)
    run(python.inside(python.path, "-m", "venv", venv), quiet=True)
    words = " ".join(f"'{word}'" for word in python.inside(venv / "bin/python"))
    python.launcher.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    python.launcher.chmod(0o755)


def _install_dependencies(python: Interpreter, *, dev: bool) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = list(project["project"]["dependencies"])
    names += [line for line in project["build-system"]["requires"] if line.startswith("pybind11")]
    if dev:
        names += project["project"]["optional-dependencies"]["dev"]
    if _cmake_is_old(python):
        names += ["cmake>=3.25", "ninja"]
    say(f"{len(names)} Python packages")
    run(pip(python, "install", "--prefer-binary", "-c", LOCK, *names), quiet=True)


def _cmake_is_old(python: Interpreter) -> bool:
    answer = output(python.inside("cmake", "--version")) or "0.0"
    found = re.search(r"(\d+)\.(\d+)", answer)
    return found is None or (int(found[1]), int(found[2])) < (3, 25)


def _install_where_there_are_wheels(python: Interpreter, extra: str, what: str) -> None:
    """Each package of an extra by itself, so that one without a wheel does not stop the others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["optional-dependencies"][extra]
    say(f"{len(wanted)} {what}, where they have a wheel for Python {python.version}")
    for line in wanted:
        name = re.split(r"[ ;>\[]", line)[0]
        try:
            run(pip(python, "install", "--only-binary=:all:", "-c", LOCK, line), silent=True)
        except SetupError:
            say(f"  {name}: no wheel for this Python and system")
            continue
        if output(pip(python, "show", name)) is None:
            say(f"  {name}: not for Python {python.version}")


def _write_command(python: Interpreter) -> None:
    bench = python.venv / "bin" / "bench"
    bench.write_text(
        f"#!{python.venv}/bin/python\n"
        "import sys\n\n"
        "from loopgauge.harness.cli import main\n\n"
        # Processes that `multiprocessing` starts import this file again.
        'if __name__ == "__main__":\n'
        "    sys.exit(main())\n"
    )
    bench.chmod(0o755)


def site_packages(python: Interpreter) -> Path:
    return python.venv / "lib" / f"python{python.version}" / "site-packages"


def remember_default(python: Interpreter) -> None:
    """scripts/bench without PYTHON takes what the last set-up without PYTHON found."""
    (ROOT / ".venv" / "default").write_text(f"{python.version}\n")


def lock(python: Interpreter) -> None:
    """Resolve every dependency again, for all Pythons at once and without a registry's name."""
    run(pip(python, "install", "uv"), quiet=True)
    uv = (python.venv / "bin" / "uv", "pip", "compile", "--universal", "--python-version", "3.11")
    form = ("--quiet", "--no-emit-index-url", "--no-header", "--no-annotate", "--upgrade")
    extras = [word for name in LOCKED for word in ("--extra", name)]
    run(python.inside(*uv, *form, *extras, "-o", LOCK, "pyproject.toml"))


def link_tree(python: Interpreter, pyroot: Path) -> None:
    """One .pth line makes the development tree importable in the environment."""
    target = site_packages(python) / "loopgauge-development.pth"
    line = f"{os.fspath(pyroot)}\n"
    if not target.exists() or target.read_text() != line:
        target.write_text(line)
