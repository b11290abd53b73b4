"""The sides of a gate on a fleet: what each host has already, or a wheel that is brought to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loopgauge.harness.errors import SideUnusable, UnknownSide
from loopgauge.harness.fleet.wheels import Wheel, read_wheel
from loopgauge.harness.gate import environments, revisions, sides, words
from loopgauge.harness.gate.model import Settings, Side
from loopgauge.harness.gate.sides import Say
from loopgauge.harness.gate.words import Meaning, SideName


@dataclass(frozen=True)
class Brought:
    """A side as every host is to have it. Its `executable` is its name where a wheel makes it
    (gate_ground.py knows which Python that is), and "" where the host's own Python has the loop."""

    side: Side
    wheel: Wheel | None


def bring(
    base: str, head: str, settings: Settings, project: Path, work: Path, say: Say
) -> tuple[Brought, Brought]:
    """Builds a wheel of each side that is a revision. Raises UnknownSide and SideUnusable."""
    project, work = project.resolve(), work.resolve()
    named: Mapping[SideName, str] = {"base": base, "head": head}
    meanings = {name: words.understand(name, word, project) for name, word in named.items()}
    loops = {name: sides.loop_of(one, settings, project) for name, one in meanings.items()}
    old, new = (
        brought(name, meaning, loops[name], settings, project, work, say)
        for name, meaning in meanings.items()
    )
    return old, new


def brought(
    name: SideName,
    meaning: Meaning,
    loop: str,
    settings: Settings,
    project: Path,
    work: Path,
    say: Say,
) -> Brought:
    side = Side(name=name, origin=meaning.origin, given=meaning.given, loop=loop, executable="")
    if meaning.revision is not None:
        side.commit = meaning.revision.commit
        path = wheel_of(name, meaning.revision, settings, project, work, say)
    elif meaning.origin == "wheel" and meaning.path is not None:
        path = meaning.path
    elif meaning.path is not None:
        raise UnknownSide(
            f"{name} is a Python of this machine ({meaning.given}), which other hosts do not have",
            "Give a wheel or a revision, or start a worker with that Python",
        )
    else:
        # What lies in the project's folder can be imported where the host has that folder, too.
        side.path = [str(project)]
        return Brought(side, None)
    side.executable = name
    return Brought(side, read_wheel(path))


def wheel_of(
    name: SideName,
    revision: revisions.Revision,
    settings: Settings,
    project: Path,
    work: Path,
    say: Say,
) -> Path:
    """Built once per content. Raises SideUnusable."""
    if settings.build:
        raise SideUnusable(
            f"{name} is built by a command of [tool.loopgauge.gate], which makes no wheel",
            "With --on, give wheels as --base and --head",
        )
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="export-", dir=work))
    try:
        tree = folder / "tree"
        source = revisions.export(project, revision, tree)
        title = f"{name} ({revision.name})"
        if not environments.is_installable(source):
            raise SideUnusable(
                f"{title} is no package: it has no pyproject.toml that builds one",
                "With --on, name a loop that the hosts have: --base module:factory",
            )
        content = revisions.content_of(tree)
        version = revisions.described_version(project, revision)
        build = environments.Build(title, source, content, version=version)
        home = work / f"wheel-{environments.key_of(build)[:16]}"
        return environments.wheel(build, home, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
