"""The wheels that `--wheel` names: read, checked, and described for the hosts they are sent to."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path, PurePosixPath

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from loopgauge.harness.errors import BadWheel

# NAME==VERSION as an index knows it; neither has a character that could be a path or an option.
PINNED = re.compile(r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!]*")


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is on this machine; a host is told everything else. `requires`: names of projects,
    not resolved for any Python. `modules`: what it adds to the top of the import path."""

    path: str
    file: str
    project: str
    version: str
    requires_python: str
    requires: tuple[str, ...]
    modules: tuple[str, ...]
    entry_points: str
    sha256: str
    size: int


class Named(msgspec.Struct, frozen=True):
    """What a host takes from the index itself: of several wheels it knows best which one fits."""

    project: str
    version: str

    @property
    def file(self) -> str:
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Goods:
    """All that is brought to hosts."""

    wheels: tuple[Wheel, ...] = ()
    named: tuple[Named, ...] = ()
    index: str = ""

    def __str__(self) -> str:
        return ", ".join(one.file for one in self.all())

    def all(self) -> Iterator[Wheel | Named]:
        yield from self.wheels
        yield from self.named


def goods_of(words: Iterable[str], index: str = "") -> Goods:
    """Of files, each once, and of NAME==VERSION. Raises BadWheel for what is neither, and for two
    versions of one project (wheels of one version for several Pythons and processors are what is
    wanted)."""
    words = [*words]
    names = [word for word in words if PINNED.fullmatch(word)]
    files = [word for word in words if word not in names]
    if index and not re.match(r"(https?|file)://", index):
        raise BadWheel("--index names no URL", "It begins with https:, http: or file:")
    if names and not index:
        raise BadWheel(f"{names[0]} is no file", "Name the index that has it: --index URL")
    wheels = {wheel.sha256: wheel for wheel in map(read_wheel, map(Path, files))}
    named = dict.fromkeys(map(named_of, names))
    goods = Goods(tuple(wheels.values()), tuple(named), index)
    versions: dict[str, Wheel | Named] = {}
    for one in goods.all():
        other = versions.setdefault(one.project, one)
        if other.version != one.version:
            raise BadWheel(
                f"{other.file} and {one.file} are two versions of {one.project}",
                "Give one of them, or measure twice",
            )
    return goods


def named_of(word: str) -> Named:
    name, _, version = word.partition("==")
    return Named(canonicalize_name(name), version)


def read_wheel(path: Path) -> Wheel:
    """Raises BadWheel."""
    try:
        content = path.read_bytes()
        project, version, _, _ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            info = next(
                folder
                for folder in zipfile.Path(archive).iterdir()
                if folder.name.endswith(".dist-info")
            )
            about = PathDistribution(info)
            if not (info / "METADATA").is_file():
                raise ValueError
            needs = [Requirement(text) for text in about.requires or []]
            told = {**about.metadata.json}
            requires_python = str(told.get("requires_python", ""))
            SpecifierSet(requires_python)
            modules = top_modules(archive.namelist())
            entry_points = about.read_text("entry_points.txt") or ""
    except InvalidWheelFilename:
        raise BadWheel(
            f"{path} is not named as a wheel is",
            "A wheel is called name-version-python-abi-platform.whl; pip wheel and scripts/dev "
            "wheel make them",
        ) from None
    except OSError as error:
        raise BadWheel(
            f"{path}: {error.strerror or error}", "Give the path of a wheel: --wheel dist/x.whl"
        ) from None
    except (
        zipfile.BadZipFile, StopIteration, KeyError, ValueError, InvalidRequirement,
        InvalidSpecifier,
    ):  # fmt: skip
        raise BadWheel(f"{path} is no whole wheel", "Build or fetch it again") from None
    return Wheel(
        path=str(path.resolve()),
        file=path.name,
        project=project,
        version=str(version),
        requires_python=requires_python,
        requires=tuple(sorted({canonicalize_name(need.name) for need in needs})),
        modules=modules,
        entry_points=entry_points,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def top_modules(names: Sequence[str]) -> tuple[str, ...]:
    """Modules, and packages with an __init__: a namespace is shared with others."""
    found = set()
    for name in map(PurePosixPath, names):
        module = name.name.partition(".")[0]
        if len(name.parts) == 1 and name.suffix in (".py", ".so"):
            found.add(module)
        elif len(name.parts) == 2 and module == "__init__" and name.suffix in (".py", ".so"):
            found.add(name.parts[0])
    return tuple(sorted(name for name in found if name.isidentifier()))


def candidates(wheels: Sequence[Wheel]) -> list[Wheel]:
    """What no other of them requires: these are to be measured, the others only support them."""
    required = {name for wheel in wheels for name in wheel.requires}
    return [wheel for wheel in wheels if wheel.project not in required]
