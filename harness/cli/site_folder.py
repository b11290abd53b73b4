"""The folder of a site: made beside its place, and put there when it is whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.site_sources import MARKER
from loopgauge.harness.interruptions import held
from loopgauge.harness.whole_file import umask

KIND = "loopgauge-site"
OTHER = "Choose another folder with --out"


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
    vanishes: readers of the old site see it until then. Raises OSError, and Problem where somebody
    has put a file into the old site meanwhile."""
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
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


def _swap(made: Path, place: Path) -> None:
    """Afterwards `made` is the old one."""
    if not place.exists():
        made.rename(place)
        return
    aside = made.with_name(f"{made.name}.old")
    place.rename(aside)
    try:
        made.rename(place)
    except OSError:
        aside.rename(place)
        raise
    aside.rename(made)
