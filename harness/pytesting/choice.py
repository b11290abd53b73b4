"""Which loops a test is measured on: the command line wins over its marker, that over the ini file.

pytest is asked here and nowhere below, so that measuring and recording know nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from loopgauge.harness.model import PYTEST_PREFIX

MARKER = "loops"
FIXTURE = "loop_benchmark"
PARAMETER = "loop_benchmark_loops"
DEFAULT = ("asyncio",)


@dataclass(frozen=True)
class Chosen:
    """`loops` take turns in one measurement. `index` of `width`: which of the tests that one
    marker made of one function."""

    benchmark: str
    loops: tuple[str, ...]
    index: int = 0
    width: int = 1


def of_item(item: pytest.Item) -> Chosen:
    config = item.config
    forced = words(config.getoption("loop_benchmark_loop"))
    benchmark = benchmark_id(item)
    if forced:
        return Chosen(benchmark, forced)
    callspec = getattr(item, "callspec", None)
    given = callspec.params.get(PARAMETER) if callspec is not None else None
    marked = marked_loops(item)
    if given is not None:
        loops = words([given] if isinstance(given, str) else given)
        index = marked.index(loops[0]) if loops[0] in marked else 0
        return Chosen(benchmark, loops, index, max(1, len(marked)))
    return Chosen(benchmark, marked or words(config.getini(PARAMETER)) or DEFAULT)


def benchmark_id(item: pytest.Item) -> str:
    """The benchmark's id: the test's, without the loop that a marker put among its parameters, so
    that all loops of one function are figures of one benchmark."""
    callspec = getattr(item, "callspec", None)
    given = callspec.params.get(PARAMETER) if callspec is not None else None
    if not isinstance(given, str) or not item.nodeid.endswith("]"):
        return PYTEST_PREFIX + item.nodeid
    name, _, parameters = item.nodeid[:-1].rpartition("[")
    rest = without(parameters, given)
    return PYTEST_PREFIX + (f"{name}[{rest}]" if rest else name)


def without(parameters: str, given: str) -> str:
    """ "small-uvloop" without "uvloop"."""
    found = re.search(rf"(?:^|-){re.escape(given)}(?=-|$)", parameters)
    if found is None:
        return parameters
    return (parameters[: found.start()] + parameters[found.end() :]).removeprefix("-")


def marked_loops(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker(MARKER)
    return words(marker.args) if marker is not None else ()


def parametrize(metafunc: pytest.Metafunc) -> None:
    """A test per loop of the marker, unless it says `together` or the command line chooses."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if PARAMETER not in metafunc.fixturenames or marker is None:
        return
    unknown = marker.kwargs.keys() - {"together"}
    names = words(marker.args)
    if unknown or not names:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: @pytest.mark.{MARKER} takes names of loops and"
            " together=True, such as @pytest.mark.loops('epoll', 'uvloop')"
        )
    if marker.kwargs.get("together") or metafunc.config.getoption("loop_benchmark_loop"):
        return
    metafunc.parametrize(PARAMETER, names, ids=names)


def words(texts: Iterable[str]) -> tuple[str, ...]:
    """Names from arguments and ini lines, each of which may hold several; each once."""
    names = [name for text in texts for name in text.replace(",", " ").split()]
    return tuple(dict.fromkeys(names))
