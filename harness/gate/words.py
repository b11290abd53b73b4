"""What the user means by a word: a loop, a wheel, a virtual environment or a revision."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loopgauge.harness import subject
from loopgauge.harness.errors import InterpreterUnusable, UnknownSide
from loopgauge.harness.gate import revisions
from loopgauge.harness.gate.model import Origin
from loopgauge.harness.gate.revisions import Revision
from loopgauge.loops.registry import known_loops
from loopgauge.loops.spec import is_factory

SideName = Literal["base", "head"]
WORKING_TREE = "."
PYTHON_NAME = re.compile(r"python\d+(\.\d+)?t?")
CAN_BE = (
    "It can be a loop (bench list loops, or module:factory), a revision of the project in this"
    " directory (. is the working tree), a wheel, or a virtual environment"
)


@dataclass(frozen=True)
class Meaning:
    """`path` is the wheel or the interpreter, `loop` that of a factory. `unmistakable` says how to
    write the same so that it can mean nothing else."""

    origin: Origin
    given: str
    unmistakable: str
    path: Path | None = None
    revision: Revision | None = None
    loop: str = ""


def understand(name: SideName, word: str, project: Path) -> Meaning:
    """ "" is the merge base with the default branch for the base, and the working tree for the
    head. Raises UnknownSide where a word means nothing, or more than one thing."""
    if word == WORKING_TREE or not word:
        default = not word and name == "base"
        revision = revisions.merge_base(project) if default else working_tree(project)
        return Meaning("revision", revision.name, "", revision=revision)
    meanings = [*_meanings(word, project)]
    if len(meanings) > 1:
        ways = "; ".join(f"{each.unmistakable} for the {_called(each)}" for each in meanings)
        raise UnknownSide(f"--{name} {word} can mean more than one thing", f"Write {ways}")
    if not meanings:
        raise _meaningless(name, word, project)
    return meanings[0]


def working_tree(project: Path) -> Revision:
    if revisions.top(project) is None:
        raise UnknownSide(
            f"{project} is in no git repository, so it has no working tree to build",
            "Name both sides: --base and --head take loops, wheels and virtual environments, too",
        )
    return revisions.WORKING_TREE


def _meanings(word: str, project: Path) -> Iterable[Meaning]:
    path = Path(project, Path(word).expanduser())
    here = word if os.sep in word else f".{os.sep}{word}"
    if path.suffix == ".whl" and path.is_file():
        yield Meaning("wheel", word, here, path=path)
    elif (python := _interpreter(word, path)) is not None:
        yield Meaning("environment", word, str(python), path=python)
    if is_factory(word):
        yield Meaning("factory", word, word, loop=word)
    elif word in (loops := known_loops()):
        yield Meaning("factory", word, loops[word].factory, loop=word)
    revision = revisions.find(project, word)
    if revision is not None:
        full = revisions.full_name(project, word) or revision.commit
        yield Meaning("revision", word, full, revision=revision)


def _interpreter(word: str, path: Path) -> Path | None:
    """Not resolved: the link in a virtual environment is what makes it that environment."""
    for candidate in (path / "bin/python", path):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    if PYTHON_NAME.fullmatch(word):
        with suppress(InterpreterUnusable):  # there is none: a branch may have such a name
            return Path(subject.executables([word])[0])
    return None


def _called(meaning: Meaning) -> str:
    return "loop" if meaning.origin == "factory" else meaning.origin


def _meaningless(name: SideName, word: str, project: Path) -> UnknownSide:
    path = Path(project, Path(word).expanduser())
    if path.suffix == ".whl":
        return UnknownSide(f"--{name} {word}: there is no such wheel", CAN_BE)
    if path.is_dir():
        return UnknownSide(f"--{name} {word} is a folder, and no virtual environment", CAN_BE)
    names = [*revisions.near(project, word), *_near_loops(word)]
    cure = f"Did you mean {' or '.join(map(repr, names))}?" if names else CAN_BE
    if revisions.top(project) is not None and revisions.is_shallow(project):
        cure += f" If it is a revision: {revisions.UNSHALLOW}"
    return UnknownSide(f"--{name} {word} is nothing that can be measured", cure)


def _near_loops(word: str) -> list[str]:
    return difflib.get_close_matches(word, known_loops(), n=3, cutoff=0.5)
