"""A virtual environment for each side, with the side's own build in it.

What a side was built from decides where its environment lies: the same tree, build command and
Python are built once. A folder counts when the file WHOLE is in it, written last; it is not renamed
into place, because scripts in a virtual environment hold its path.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from loopgauge.harness.errors import SideUnusable
from loopgauge.harness.gate import behind

WHOLE = "whole"
LOG = "build.log"
KEPT = 10  # environments; the ones used last
TAIL = 12  # lines of a failed build that are shown

# Of our own environment, what decides how an extension is built.
BUILD_VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_ARGS")
# Last lines that say no more than that something failed, by pip and by what it calls.
EMPTY_PHRASES = re.compile(
    r"see above|originates from a subprocess|subprocess-exited|metadata-generation-failed|"
    r"failed-wheel-build|issue with the (package|subprocess)|Failed building wheel|"
    r"returned non-zero exit status|Failed to build|Could not build wheels|end of output|"
    r"^\W*(\u00d7|\u2570|\[notice\])",
    re.IGNORECASE,
)
# GCC, Clang and those who write like them; Rust.
COMPILER_ERROR = re.compile(r":\d+(:\d+)?: (fatal )?error: |^error\[E\d+\]: ")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Build:
    """What is installed. `source` is a wheel, or the project's folder below `tree`."""

    title: str  # "base (main, 1234567890)"
    source: Path
    content: str  # sha256 of the wheel or the tree
    command: str = ""  # the settings'; "": pip
    version: str = ""  # for build backends that would ask git


@dataclass(frozen=True)
class Environment:
    """`source` is the project's folder, kept beside the environment; None for a wheel."""

    python: Path
    source: Path | None
    key: str


def install(build: Build, tree: Path | None, work: Path, say: Say) -> Environment:
    """Takes the folder `tree` over. Raises SideUnusable with the last words of a failed build."""
    key = key_of(build)
    home = work / key[:16]
    inside = build.source.relative_to(tree) if tree else None
    source = home / "source" / inside if inside is not None else None
    made = Environment(home / "venv/bin/python", source, key)
    with _locked(home):
        if (home / WHOLE).exists():
            (home / WHOLE).touch()
        else:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            if tree:
                tree.rename(home / "source")
            say(f"building {build.title}")
            try:
                _make(build, source or build.source, home, say)
            except SideUnusable:  # the log is kept, and what may be large is not
                shutil.rmtree(home / "venv", ignore_errors=True)
                shutil.rmtree(home / "source", ignore_errors=True)
                raise
            (home / WHOLE).write_text(json.dumps({"content": build.content}), encoding="utf-8")
    _drop_oldest(work, keep=home)
    return made


def wheel(build: Build, home: Path, say: Say) -> Path:
    """The build as a wheel in the folder `home`, which is made once. Raises SideUnusable."""
    if importlib.util.find_spec("pip") is None:
        raise SideUnusable(f"{sys.executable} has no pip to build a wheel with", "Install pip")
    with _locked(home):
        if not (home / WHOLE).exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            say(f"building a wheel of {build.title}")
            command = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check"]
            command += ["--no-input", "--no-deps", "--wheel-dir", str(home), str(build.source)]
            _run(command, build, home, home, say)
            (home / WHOLE).touch()
        (made,) = home.glob("*.whl")
        return made


def key_of(build: Build) -> str:
    facts = [
        build.content,
        build.command,
        sys.version,
        sys.prefix,
        *(os.environ.get(name, "") for name in BUILD_VARIABLES),
        *folders_behind(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def folders_behind() -> list[str]:
    """Where the running loopgauge and what it needs are imported from."""
    sites = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    ours = Path(__file__).absolute().parents[3]  # of loopgauge.harness.gate.environments
    return list(dict.fromkeys([str(ours), *sites]))


def is_installable(project: Path) -> bool:
    """A folder with a pyproject.toml that only configures tools is no package."""
    if (project / "setup.py").exists():
        return True
    try:
        text = (project / "pyproject.toml").read_text(encoding="utf-8")
        return not tomllib.loads(text).keys().isdisjoint({"build-system", "project"})
    except OSError:
        return False
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return True  # whoever builds it says what is wrong with it


def _make(build: Build, source: Path, home: Path, say: Say) -> None:
    venv = home / "venv"
    _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], build, home, home, say)
    python = venv / "bin/python"
    where = source if source.is_dir() else home
    if build.command and source.is_dir():
        command = filled_in(build.command, python, source)
        _run(["/bin/sh", "-c", command], build, where, home, say)
    elif source.is_file() or is_installable(source):
        _run([*_installer(python), str(source)], build, where, home, say)
    last = [str(source)] if source.is_dir() else []
    _put_behind(venv, [*last, *folders_behind()])


def filled_in(command: str, python: Path, source: Path) -> str:
    """Quoted for the shell. Not str.format(): a command may have braces of its own."""
    for name, path in (("python", python), ("source", source)):
        command = command.replace(f"{{{name}}}", shlex.quote(str(path)))
    return command


def _installer(python: Path) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        quiet = ["--disable-pip-version-check", "--no-input"]
        return [sys.executable, "-m", "pip", "--python", str(python), "install", *quiet]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", str(python)]
    raise SideUnusable(
        f"{sys.executable} has no pip to install a side with",
        "Install pip or uv, or name a command: build = '...' in [tool.loopgauge.gate]",
    )


def _put_behind(venv: Path, folders: Sequence[str]) -> None:
    """Our own packages, last on the import path, so that whatever the side brings along comes
    first. Only after the installation: pip would take what it sees for already installed."""
    paths = {"base": str(venv), "platbase": str(venv)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    source = Path(behind.__file__).read_text(encoding="utf-8")
    text = f"{source}\nput_behind({json.dumps(list(folders))})\n"
    (site / "_loopgauge_behind.py").write_text(text, encoding="utf-8")
    # Read in alphabetical order: after the side's own, which may add folders.
    (site / "zzz_loopgauge_behind.pth").write_text("import _loopgauge_behind\n", encoding="utf-8")


# A child begins when it is told to. An interruption may come before we know of it, and one that
# nobody knows of finds its pipe closed, and ends.
BEGIN = ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh"]


def _run(command: Sequence[str], build: Build, cwd: Path, home: Path, say: Say) -> None:
    """In a process group of its own, which ends with us. All output goes to the log."""
    log = home / LOG
    child: subprocess.Popen[bytes] | None = None
    with log.open("ab") as output:
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        try:
            child = subprocess.Popen(
                [*BEGIN, *command],
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_build_environment(build, home),
                start_new_session=True,
            )
            child.communicate(b"go\n")
        except BaseException:
            if child is not None:
                with suppress(ProcessLookupError):  # it ended just now
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            raise
    if child.returncode:
        raise _does_not_build(build, log, child.returncode, say)


def _build_environment(build: Build, home: Path) -> dict[str, str]:
    """What lies on PYTHONPATH would look installed. The tools of our environment (pip, cmake) can
    be called by name."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
    own["VIRTUAL_ENV"] = str(home / "venv")
    if build.version:
        # There is no repository in the exported tree; setuptools-scm, hatch-vcs and others that
        # are built on it read this instead.
        own.setdefault("SETUPTOOLS_SCM_PRETEND_VERSION", build.version)
    return own


def _does_not_build(build: Build, log: Path, code: int, say: Say) -> SideUnusable:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[-TAIL:]:
        say(f"  {line}")
    return SideUnusable(
        f"{build.title} does not build: {telling_line(lines) or f'exit code {code}'}",
        f"All it said is in {log}",
    )


def telling_line(lines: Sequence[str]) -> str:
    """A compiler's first error, from which others follow; else the last line that names an error,
    since build tools wrap them; else the last that says anything."""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    telling = [line for line in said if not EMPTY_PHRASES.search(line)]
    errors = [line for line in telling if re.search(r"error|not found|no such", line, re.I)]
    compiler = next((line for line in telling if COMPILER_ERROR.search(line)), "")
    return (compiler or next(reversed(errors or telling or said), ""))[:300]


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One gate at a time builds an environment; another waits and finds it made."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _drop_oldest(work: Path, keep: Path) -> None:
    whole = sorted(work.glob(f"*/{WHOLE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in whole[KEPT:]:
        if path.parent != keep:
            path.unlink()  # first: what is half deleted must not count
            shutil.rmtree(path.parent, ignore_errors=True)
