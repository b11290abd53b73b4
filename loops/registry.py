"""Finds loops by name, says whether they can run here, and makes them.

Listing imports no backend: a package that crashes on import must not take the list with it.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from loopgauge.loops.backends import SPECS, default_peers
from loopgauge.loops.spec import LoopSpec, is_factory

ENTRY_POINT_GROUP = "loopgauge.loops"
DEFAULT_LOOPS = ("epoll", "asyncio", "uvloop")

# Without these nothing can be run. Being an instance of AbstractEventLoop is another matter: it is
# a rule (SURF-001) that some loops break, and they are to be measured all the same.
ESSENTIAL = (
    "call_soon",
    "call_later",
    "create_future",
    "create_task",
    "run_forever",
    "run_until_complete",
    "stop",
    "is_closed",
    "close",
)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class LoopError(Exception):
    """A loop cannot be found or made; the message names the cause and the cure."""


class UnknownLoop(LoopError):
    """No loop has this name; `suggestions` are the nearest that exist."""

    def __init__(self, name: str, suggestions: tuple[str, ...] = ()) -> None:
        self.name = name
        self.suggestions = suggestions
        nearest = f"; did you mean {' or '.join(suggestions)}?" if suggestions else ""
        super().__init__(
            f"no loop is called {name!r}{nearest}"
            " (`bench list loops` shows all; module:factory names any other)"
        )


class LoopImportError(LoopError):
    """The module of a loop, or the factory in it, cannot be imported."""

    def __init__(self, spec: LoopSpec, original: BaseException) -> None:
        self.spec = spec
        self.original = original
        super().__init__(
            f"loop {spec.name!r}: cannot import {spec.factory}:"
            f" {type(original).__name__}: {original}"
        )


class BadLoop(LoopError):
    """The factory raised, or what it returned cannot be used as a new event loop."""

    def __init__(self, spec: LoopSpec, problem: str) -> None:
        self.spec = spec
        self.problem = problem
        super().__init__(f"loop {spec.name!r}: {spec.factory} {problem}")


@dataclass(frozen=True)
class Availability:
    """Whether a loop can be tried on this Python; `reason` is "" when it can."""

    ok: bool
    reason: str
    version: str


def known_loops() -> dict[str, LoopSpec]:
    """All loops by name: the built-in list, then the entry points of installed packages.

    An entry point is listed from its metadata alone, so its `capabilities` are those of a
    complete loop until `resolve` has read the spec it points at. A built-in name wins.
    """
    loops = {spec.name: spec for spec in SPECS}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        spec = _listed(entry)
        if spec is not None:
            loops.setdefault(spec.name, spec)
    return loops


def resolve(name: str) -> LoopSpec:
    """The spec of a registered name, or of "module:factory".

    For an entry point this imports the module that holds its LoopSpec; one that cannot be
    imported keeps the listed spec, and `load_factory` then reports why. Raises UnknownLoop.
    """
    loops = known_loops()
    spec = loops.get(name)
    if spec is not None:
        return spec if spec in SPECS else _declared(spec)
    if is_factory(name):
        return LoopSpec(name=name, factory=name, distribution=name.split(":")[0].split(".")[0])
    raise UnknownLoop(name, tuple(difflib.get_close_matches(name, loops, n=3, cutoff=0.5)))


def availability(spec: LoopSpec) -> Availability:
    """Whether `spec` can be tried on the running Python, without importing its backend."""
    version = _version(spec)
    unsupported = _python_problem(spec.requires_python)
    if unsupported:
        return Availability(False, unsupported, version)
    for module in (spec.module, *spec.needs):
        if not _module_exists(module):
            return Availability(False, _missing(spec, module), version)
    return Availability(True, "", version)


def load_factory(spec: LoopSpec) -> LoopFactory:
    """Imports the backend and returns its factory. Raises LoopImportError, BadLoop."""
    try:
        factory = _import_attribute(spec)
    except Exception as error:  # a backend may fail in any way while it is imported
        raise LoopImportError(spec, error) from error
    if isinstance(factory, LoopSpec):
        return load_factory(factory)
    if not callable(factory):
        raise BadLoop(spec, f"is {_a(factory)}, which cannot be called")
    made: LoopFactory = factory
    return made


def new_loop(spec: LoopSpec) -> asyncio.AbstractEventLoop:
    """A fresh loop that the caller owns and closes. Raises LoopImportError, BadLoop."""
    factory = load_factory(spec)
    try:
        loop = factory(*spec.arguments)
    except Exception as error:
        raise BadLoop(spec, f"raised {type(error).__name__}: {error}") from error
    missing = [name for name in ESSENTIAL if not callable(getattr(loop, name, None))]
    if missing:
        raise BadLoop(spec, f"returned {_a(loop)}, which is no event loop: no {missing[0]}()")
    if loop.is_closed():
        raise BadLoop(spec, "returned a closed loop; every call must make a new one")
    return loop


def default_loops(python: tuple[int, int] | None = None) -> tuple[str, ...]:
    """What is measured when nobody asks for loops, on `python` (the running one)."""
    return (*DEFAULT_LOOPS, *default_peers(python or sys.version_info[:2]))


def _listed(entry: importlib.metadata.EntryPoint) -> LoopSpec | None:
    """The spec of an entry point as its metadata tells it; None if it names no attribute."""
    if not is_factory(entry.value):
        return None
    package = entry.dist
    if package is None:
        return LoopSpec(name=entry.name, factory=entry.value, notes="entry point")
    metadata = package.metadata
    requires = ""
    if "Requires-Python" in metadata:  # PackageMetadata has no get()
        requires = metadata["Requires-Python"]
    return LoopSpec(
        name=entry.name,
        factory=entry.value,
        distribution=package.name,
        requires_python=requires,
        notes=f"entry point of {package.name}",
    )


def _declared(listed: LoopSpec) -> LoopSpec:
    """The LoopSpec an entry point holds; the listed one if it holds a factory or fails."""
    try:
        found = _import_attribute(listed)
    except Exception:  # reported by load_factory, where somebody asks for the loop itself
        return listed
    return found if isinstance(found, LoopSpec) else listed


def _import_attribute(spec: LoopSpec) -> Any:
    found: Any = importlib.import_module(spec.module)
    for part in spec.attribute.split("."):
        found = getattr(found, part)
    return found


def _python_problem(requires: str) -> str:
    """Why the running Python is not among `requires`; "" if it is."""
    try:
        wanted = SpecifierSet(requires)
    except InvalidSpecifier:
        return f"its requires_python {requires!r} is not a version specifier"
    # A release candidate counts as its release: wheels are built and loaded that way.
    running = "{}.{}.{}".format(*sys.version_info[:3])
    return "" if running in wanted else f"needs Python {requires}, this is {running}"


def _missing(spec: LoopSpec, module: str) -> str:
    if module in spec.needs:
        return f"{module} is not built"
    if spec.distribution and spec.name != spec.factory:
        return f"not installed (pip install {spec.distribution})"
    return f"no module named {module}"


def _version(spec: LoopSpec) -> str:
    if spec.distribution is None:
        return platform.python_version() if spec.module == "asyncio" else ""
    try:
        return importlib.metadata.version(spec.distribution)
    except importlib.metadata.PackageNotFoundError:
        # A development tree is importable without being an installed distribution.
        package = sys.modules.get(spec.module.split(".")[0])
        return str(getattr(package, "__version__", ""))


def _module_exists(name: str) -> bool:
    """Whether `name` could be imported, found without importing any of its parents.

    importlib.util.find_spec imports the parents of a dotted name, hence the walk.
    """
    path: list[str] | None = None
    prefix = ""
    for part in name.split("."):
        prefix = f"{prefix}.{part}" if prefix else part
        spec = _find(prefix, path)
        if spec is None:
            return prefix in sys.modules
        locations = spec.submodule_search_locations
        path = list(locations) if locations is not None else []
    return True


def _find(name: str, path: list[str] | None) -> ModuleSpec | None:
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__spec__ is not None:
        return loaded.__spec__
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path, None) if find else None
        if spec is not None:
            return spec
    return None


def _a(found: object) -> str:
    name = type(found).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
