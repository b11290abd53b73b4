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
from loopgauge.harness.cli.output import umask
from loopgauge.harness.cli.site_sources import MARKER
from loopgauge.harness.interruptions import held

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
    strangers = _strangers(folder)
    if strangers:
        raise Problem(
            ExitCode.USAGE,
            f"--out {folder} holds {strangers[0]}, which `bench site` did not write",
            "Move it away, or choose another folder: the old site is replaced as a whole",
        )


def _strangers(folder: Path) -> list[str]:
    """What lies at the top of a folder and is no part of a site of ours."""
    if not folder.is_dir():
        return []
    try:
        about = json.loads((folder / MARKER).read_text("utf-8"))
        ours = set(about["top"]) if about["kind"] == KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    return sorted(path.name for path in folder.iterdir() if path.name not in ours)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder, which takes the place of `folder` if the block comes to its end, and else
    vanishes: readers of the old site see it until then. Raises OSError."""
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        yield made
        top = sorted([MARKER, *(path.name for path in made.iterdir())])
        (made / MARKER).write_text(
            json.dumps({"kind": KIND, "schema": 1, "top": top}, indent=1) + "\n", "utf-8"
        )
        made.chmod(0o777 & ~umask())
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
