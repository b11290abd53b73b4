"""A project with a loop, small enough to be built in a second, and without a package index."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

BACKEND = """
import zipfile
from pathlib import Path

LOOPS = "[loopgauge.loops]\\ntiny = tinyloop:new_loop\\n"

METADATA = "Metadata-Version: 2.1\\nName: tinyloop\\nVersion: 1.0\\n"
WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    source = Path("tinyloop/__init__.py").read_text()
    if "does not compile" in source:
        print("tinyloop.cpp:7: error: expected ';' before '}' token")
        raise SystemExit("compiler failed, see above")
    info = "tinyloop-1.0.dist-info"
    name = "tinyloop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("tinyloop/__init__.py", source + "\\nBUILT = True\\n")
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/entry_points.txt", LOOPS)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tinyloop"
version = "1.0"
[project.entry-points."loopgauge.loops"]
tiny = "tinyloop:new_loop"
"""
LOOP = """
import asyncio

REVISION = {revision!r}


def new_loop():
    return asyncio.SelectorEventLoop()
"""
NOBODY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **NOBODY},
    )
    return done.stdout.strip()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def commit(folder: Path, files: dict[str, str]) -> str:
    """Returns the commit."""
    write(folder, files)
    git(folder, "add", *files)
    git(folder, "commit", "-q", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def tiny_project(folder: Path) -> Path:
    """Its branch main has one commit, and `work` another."""
    repository(folder)
    files = {"pyproject.toml": PYPROJECT, "backend.py": BACKEND, ".gitignore": ".bench\n*.pyc\n"}
    commit(folder, {**files, "tinyloop/__init__.py": LOOP.format(revision="first")})
    git(folder, "checkout", "-q", "-b", "work")
    commit(folder, {"tinyloop/__init__.py": LOOP.format(revision="second")})
    return folder
