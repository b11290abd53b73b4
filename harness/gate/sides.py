"""From two words to two sides that are built, importable, and known to hold the loop."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness import environment, subject
from loopgauge.harness.errors import HarnessError, SideUnusable, UnknownSide
from loopgauge.harness.gate import environments, inside, revisions, words
from loopgauge.harness.gate.environments import Build
from loopgauge.harness.gate.model import Settings, Side
from loopgauge.harness.gate.words import Meaning, SideName
from loopgauge.loops.registry import ENTRY_POINT_GROUP

ANSWER_S = 60.0  # an import that has not ended by then hangs

Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What the side's interpreter says of the loop: the package it is in, and the environment."""

    file: str  # "" where there is no such module
    content: str
    prefix: str
    targets: dict[str, bool]


@dataclass(frozen=True)
class Checked:
    """`own`: the loop comes from what was built or installed for this side."""

    side: Side
    loop_file: str
    loop_content: str
    python: str
    own: bool


def prepare(
    base: str, head: str, settings: Settings, project: Path, work: Path, say: Say
) -> tuple[Side, Side]:
    """Builds below `work` what has to be built. Raises UnknownSide (what was asked for makes no
    sense), SideUnusable (it does not build, or lacks the loop) and InterpreterUnusable."""
    project, work = project.resolve(), work.resolve()
    before = words.understand("base", base, project)
    after = words.understand("head", head, project)
    # Known before anything is built: a loop that nobody named costs a line, not a build.
    loops = [loop_of(meaning, settings, project) for meaning in (before, after)]
    old = checked(make("base", before, loops[0], settings, project, work, say))
    new = checked(make("head", after, loops[1], settings, project, work, say))
    for line in remarks(old, new):
        say(line)
    return old.side, new.side


def targets(side: Side, names: Sequence[str]) -> set[str]:
    """Those of `names` (module:attribute) that exist on a side; their modules are imported there,
    and nothing else is run."""
    if not names:
        return set()
    told = ask(side, names)
    if told is not None:
        return {name for name, there in told.targets.items() if there}
    if len(names) > 1:  # one of them ends the process, or hangs
        return {name for name in names if name in targets(side, [name])}
    return set(names)  # it is there, and what is wrong with it is for the measurement to show


def loop_of(meaning: Meaning, settings: Settings, project: Path) -> str:
    """Raises UnknownSide where there is no telling."""
    if meaning.loop or settings.loop:
        return meaning.loop or settings.loop
    own = _loops_of_wheel(meaning.path) if meaning.origin == "wheel" and meaning.path else []
    own = own or _loops_of_project(project)
    if len(own) == 1:
        return own[0]
    if any(":" in benchmark for benchmark in settings.benchmarks):
        return "asyncio"
    has = f"there are {', '.join(own)}" if own else f"no entry point of group {ENTRY_POINT_GROUP}"
    raise UnknownSide(
        f"which loop is to be measured is not clear: {has}",
        "Name it: --loop NAME|module:factory, or loop = '...' in [tool.loopgauge]",
    )


def make(
    name: SideName,
    meaning: Meaning,
    loop: str,
    settings: Settings,
    project: Path,
    work: Path,
    say: Say,
) -> Side:
    """Not yet checked. What lies in the project's folder can be imported last, so that benchmarks
    of one's own need not be part of a wheel or of an environment."""
    side = Side(
        name=name,
        origin=meaning.origin,
        given=meaning.given,
        loop=loop,
        executable=sys.executable,
        path=[str(project)],
    )
    if meaning.revision is not None:
        side.commit = meaning.revision.commit
        return _from_revision(side, meaning.revision, settings, project, work, say)
    if meaning.origin == "wheel" and meaning.path is not None:
        content = hashlib.sha256(meaning.path.read_bytes()).hexdigest()
        build = Build(f"{name} ({meaning.given})", meaning.path, content)
        return _with(side, environments.install(build, None, work, say))
    if meaning.path is not None:
        side.executable = str(meaning.path)
    return side


def _from_revision(
    side: Side,
    revision: revisions.Revision,
    settings: Settings,
    project: Path,
    work: Path,
    say: Say,
) -> Side:
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="export-", dir=work))
    try:
        tree = folder / "tree"
        source = revisions.export(project, revision, tree)
        if not source.is_dir():
            raise SideUnusable(f"{side.name} ({side.title}) has no folder {project.name}")
        build = Build(
            title=f"{side.name} ({side.title})",
            source=source,
            content=revisions.content_of(tree),
            command=settings.build,
            version=revisions.described_version(project, revision),
        )
        made = environments.install(build, tree, work, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    side.path = []  # its own folder is on the environment's import path
    side.source = str(made.source or "")
    return _with(side, made)


def _with(side: Side, made: environments.Environment) -> Side:
    side.executable, side.content = str(made.python), made.key
    return side


def checked(side: Side) -> Checked:
    """That the side can measure its loop, and where the loop comes from."""
    who = f"{side.name} ({side.title})"
    try:
        python = subject.ask(side.executable, [side.loop], side.path)
    except HarnessError as error:
        _, unknown, which = error.cause.partition("UnknownLoop: ")
        if unknown:  # the last line of the registry's own error over there
            raise SideUnusable(f"{who}: {which}") from error
        raise type(error)(f"{who}: {error.cause}", error.cure) from error
    facts = python.loops[side.loop]
    if not facts["available"]:
        raise SideUnusable(f"{who} has no loop {side.loop}: {facts['reason']}")
    told = ask(side, [], facts["factory"].partition(":")[0])
    if told is None or not told.file:
        raise SideUnusable(f"{who} has no loop {side.loop}: {facts['factory']} cannot be found")
    side.version = str(facts["version"])
    interpreter = python.interpreter
    kind = f"{interpreter.version} ({interpreter.build_kind})"
    if not side.content:
        one_build = [facts["factory"], told.content, kind, interpreter.build_hash]
        side.content = hashlib.sha256(json.dumps(one_build).encode()).hexdigest()
    return Checked(side, told.file, told.content, kind, _is_own(side, told))


def _is_own(side: Side, told: Told) -> bool:
    if side.origin == "factory":
        return True
    places = [Path(told.prefix)]
    if side.origin == "revision":
        places.append(Path(told.prefix).parent / "source")
    return any(Path(told.file).is_relative_to(place) for place in places)


def remarks(base: Checked, head: Checked) -> list[str]:
    """What a reader of the result has to know. Raises SideUnusable where one side would measure
    another's loop without anybody having asked for it."""
    for one, other in ((base, head), (head, base)):
        if other.own and not one.own and one.side.origin != "environment":
            raise SideUnusable(
                f"{one.side.name} ({one.side.title}) does not hold the loop {one.side.loop}: it"
                f" would be taken from {one.loop_file}",
                "Compare with a revision or a wheel that has it",
            )
    found = []
    if base.side.content == head.side.content:
        found.append("base and head are the same build: whatever differs is chance")
    elif base.side.loop == head.side.loop and base.loop_content == head.loop_content:
        where = "" if base.own or head.own else f" (it comes from {base.loop_file})"
        found.append(f"the loop {base.side.loop} is the same on both sides{where}")
    if base.python != head.python:
        found.append(
            f"base runs on Python {base.python}, head on {head.python}: a difference may be the"
            " interpreter's"
        )
    return found


def ask(side: Side, names: Sequence[str], module: str = "") -> Told | None:
    """None where the process does not live to answer."""
    question = json.dumps({"path": side.path, "module": module, "targets": list(names)})
    try:
        answer = subprocess.run(
            [side.executable, "-P", inside.__file__],
            input=question,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
            env=environment.worker_environment(hash_seed=0, padding=0),
        )
        return msgspec.json.decode(answer.stdout, type=Told)
    except (subprocess.SubprocessError, msgspec.MsgspecError):
        return None


def _loops_of_project(project: Path) -> list[str]:
    try:
        read: Any = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
        return [*read["project"]["entry-points"][ENTRY_POINT_GROUP]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _loops_of_wheel(wheel: Path) -> list[str]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for folder in zipfile.Path(archive).iterdir():
                if folder.name.endswith(".dist-info"):
                    entries = PathDistribution(folder).entry_points
                    return [entry.name for entry in entries.select(group=ENTRY_POINT_GROUP)]
    except (OSError, ValueError, zipfile.BadZipFile):
        pass  # the installer says what is wrong with it
    return []
