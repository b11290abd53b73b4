"""Reads what callgrind writes: instructions by function, and how often functions were called.

The format is https://valgrind.org/docs/manual/cl-format.html, of which only what callgrind itself
writes is understood: one event (Ir), names as "(1) name" when first used and "(1)" from then on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_NAME = re.compile(r"\((\d+)\)(?: (.*))?")
_TRIGGER = re.compile(r"desc: Trigger: Client Request: (.*)")
_UNNAMED = re.compile(r"0x[0-9a-f]+$|\?\?\?$")
_RECURSION = re.compile(r"'\d+$")

UNNAMED = "(no symbol)"


class Function(NamedTuple):
    """`object` is the path of the file it is in."""

    object: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} [{PurePosixPath(self.object).name}]"


@dataclass
class Profile:
    """Instructions executed in each function itself, and calls of each."""

    trigger: str = ""
    self_cost: Counter[Function] = field(default_factory=Counter)
    calls: Counter[Function] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.self_cost.total()


class BadProfile(Exception):
    """The file is not what callgrind writes; says where."""


def read_profile(path: Path) -> Profile:
    """Raises BadProfile."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        try:
            return parse(lines)
        except (ValueError, KeyError) as error:
            raise BadProfile(f"{path.name} is no callgrind profile: {error}") from error


def parse(lines: Iterable[str]) -> Profile:
    """Raises ValueError or KeyError for what is not understood."""
    return _Parser().parse(lines)


class _Parser:
    def __init__(self) -> None:
        self._profile = Profile()
        self._names: dict[str, dict[str, str]] = {"ob": {}, "fn": {}}
        self._object = ""
        self._function = Function("", "")
        self._called_object = ""
        self._called = self._function
        self._total: int | None = None

    def parse(self, lines: Iterable[str]) -> Profile:
        inclusive = False  # the line after calls= costs what was called, not the caller
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if line[:1] in "+-*0123456789" and line:
                if not inclusive:
                    self._profile.self_cost[self._function] += _cost(line)
                inclusive = False
                continue
            inclusive = line.startswith("calls=")
            try:
                self._take(line)
            except (ValueError, KeyError) as error:
                raise ValueError(f"line {number}: {error!r}") from error
        if self._total is None:
            raise ValueError("it has no line with totals: it is not whole")
        return self._profile

    def _take(self, line: str) -> None:
        key, equals, value = line.partition("=")
        if not equals or " " in key:
            self._take_header(line)
        elif key == "ob":
            self._object = self._called_object = self._name("ob", value)
        elif key == "fn":
            self._function = self._named(self._object, value)
            self._called_object = self._object
        elif key == "cob":
            self._called_object = self._name("ob", value)
        elif key == "cfn":
            self._called = self._named(self._called_object, value)
        elif key == "calls":
            self._profile.calls[self._called] += int(value.split()[0])
            self._called_object = self._object  # cob= holds for one call

    def _take_header(self, line: str) -> None:
        if line.startswith("events:") and line.split()[1:] != ["Ir"]:
            raise ValueError(f"other events than instructions: {line}")
        if line.startswith("totals:"):
            self._total = int(line.split()[1])
        match = _TRIGGER.match(line)
        if match:
            self._profile.trigger = match[1]

    def _named(self, object_: str, value: str) -> Function:
        """A function met again inside itself is still the same one."""
        name = _RECURSION.sub("", self._name("fn", value))
        return Function(object_, UNNAMED if _UNNAMED.match(name) else name)

    def _name(self, kind: str, value: str) -> str:
        match = _NAME.fullmatch(value)
        if match is None:
            return value
        names = self._names[kind]
        if match[2] is not None:
            names[match[1]] = match[2]
        return names[match[1]]


def _cost(line: str) -> int:
    """ "+3 25": position, then instructions; callgrind leaves out a cost of zero."""
    parts = line.split()
    return int(parts[1]) if len(parts) > 1 else 0


ALLOCATORS = frozenset(
    {"malloc", "calloc", "realloc", "reallocarray", "memalign", "posix_memalign", "aligned_alloc"}
)
_C_LIBRARY = re.compile(r"libc[-.]|ld-musl")


def allocator_calls(profile: Profile) -> Counter[str]:
    """Calls of the C library's allocators, by name. Allocators that a loop brings along itself are
    invisible here."""
    calls: Counter[str] = Counter()
    for function, count in profile.calls.items():
        if function.name in ALLOCATORS and _C_LIBRARY.match(PurePosixPath(function.object).name):
            calls[function.name] += count
    return calls


def runs(folder: Path) -> Mapping[int, Profile]:
    """Run index to its profile, of the files that `counters.Callgrind` had written to `folder`."""
    found = {}
    for path in sorted(folder.glob("callgrind.*")):
        if _is_run(path):
            profile = read_profile(path)
            found[int(profile.trigger.rpartition(" ")[2])] = profile
    return found


def _is_run(path: Path) -> bool:
    """Without reading all of what was only tried: the trigger is in the first lines."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for _, line in zip(range(20), lines, strict=False):
            match = _TRIGGER.match(line)
            if match:
                return match[1].startswith("run ")
    return False
