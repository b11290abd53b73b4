"""The folder of a site: made beside its place, and put there when it is whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.site_sources import MARKER
from loopgauge.harness.interruptions import held
from loopgauge.harness.whole_file import umask

KIND = "loopgauge-site"
OTHER = "Choose another folder with --out"
ASIDE = ".old"  # a site while another one takes its place


def require_ours(folder: Path, sources: Sequence[Path]) -> None:
    """The whole folder is going to be replaced: raises Problem where that would take away anything
    but a site of ours."""
    place = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise Problem(ExitCode.USAGE, f"--out {folder} is no folder", OTHER)
    inside = [path for path in sources if path.resolve().is_relative_to(place)]
    if inside:
        raise Problem(
            ExitCode.USAGE,
            f"--out {folder} holds {inside[0]}, which the site is to be made of",
            OTHER,
        )
    if Path.cwd().is_relative_to(place):
        raise Problem(ExitCode.USAGE, f"--out {folder} holds the current folder", OTHER)
    _require_no_strangers(folder)


def _require_no_strangers(folder: Path) -> None:
    """Raises Problem where the folder holds what is no part of a site of ours, at any depth."""
    if not folder.is_dir():
        return
    try:
        about = json.loads((folder / MARKER).read_text("utf-8"))
        ours = set(about["files"]) if about["kind"] == KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    strangers = [name for name in _files(folder) if name not in ours]
    if strangers:
        raise Problem(
            ExitCode.USAGE,
            f"--out {folder} holds {strangers[0]}, which `bench site` did not write",
            "Move it away, or choose another folder: the old site is replaced as a whole",
        )


def _files(folder: Path) -> list[str]:
    """By their way from the folder; with empty folders, and links to folders, which are not
    followed."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder, which takes the place of `folder` if the block comes to its end, and else
    vanishes: readers of the old site see it until then. What a killed process has left there goes
    first. Raises OSError, and Problem where somebody has put a file into the old site meanwhile."""
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    _clean(place)
    with _made_beside(place) as made:
        try:
            yield made
            about = {"kind": KIND, "schema": 1, "files": [MARKER, *_files(made)]}
            (made / MARKER).write_text(json.dumps(about, indent=1) + "\n", "utf-8")
            made.chmod(0o777 & ~umask())
            _require_no_strangers(place)  # once more: making it took minutes
            with held():
                _swap(made, place)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _prefix(place: Path) -> str:
    return f".{place.name}.bench-site-"


@contextmanager
def _made_beside(place: Path) -> Iterator[Path]:
    """Locked as long as this process lives, which tells others that somebody is at work on it."""
    while True:
        made = Path(tempfile.mkdtemp(dir=place.parent, prefix=_prefix(place)))
        with _locked(made):
            if made.exists():  # not taken for a dead one's before it was locked
                yield made
                return


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """By this process until the block ends. Without `wait` raises OSError where another one has it,
    and on a file system without locks, where nobody can tell who is dead."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if wait:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _clean(place: Path) -> None:
    """Removes what killed processes were making. A site that was moved aside by one that had not
    put the new one there yet goes back to its place."""
    for left in sorted(place.parent.iterdir()):
        if not left.name.startswith(_prefix(place)):
            continue
        with suppress(OSError), _locked(left, wait=False):
            if left.name.endswith(ASIDE) and not place.exists():
                left.rename(place)
            else:
                shutil.rmtree(left, ignore_errors=True)


def _swap(made: Path, place: Path) -> None:
    """Afterwards `made` is the old one."""
    if not place.exists():
        made.rename(place)
        return
    aside = made.with_name(f"{made.name}{ASIDE}")
    with _locked(place):
        place.rename(aside)
        try:
            made.rename(place)
        except OSError:
            aside.rename(place)
            raise
        aside.rename(made)
