"""Which series a query means."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from loopgauge.harness.history.model import MachineKind, Query, SeriesKey


def matches(query: Query, key: SeriesKey) -> bool:
    return (
        fits_any(query.benchmarks, benchmark_names(key.benchmark))
        and fits_any(query.loops, [key.loop])
        and fits_any(query.metrics, [key.metric])
        and machine_matches(query.machines, key.machine)
    )


def machine_matches(patterns: list[str], machine: MachineKind) -> bool:
    """The key, or any part of the title, whatever its case."""
    title = machine.title.lower()
    return not patterns or any(
        word == machine.key or fnmatchcase(title, f"*{word.lower()}*") for word in patterns
    )


def benchmark_names(name: str) -> list[str]:
    """`throughput.gather[n=10]` is also called throughput, throughput.gather, gather[n=10] and
    gather."""
    scenario, bracket, params = name.partition("[")
    family, dot, short = scenario.partition(".")
    return [name, scenario, *([family, short, short + bracket + params] if dot else [])]


def fits_any(patterns: list[str], names: Iterable[str]) -> bool:
    """A pattern may be the name itself: the brackets of a benchmark id are none of a glob."""
    return not patterns or any(
        pattern == name or fnmatchcase(name, pattern) for name in names for pattern in patterns
    )
