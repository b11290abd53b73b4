"""Finds scenarios by family, id, short name or glob, and writes and reads benchmark ids.

A benchmark id is family.name[k=v,...]: keys sorted, defaults left out.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable
from typing import Any

from loopgauge.scenarios import io, signal, throughput, timer
from loopgauge.scenarios.model import BadParam, Scenario

_CATALOGUE: tuple[type[Scenario], ...] = (
    *throughput.SCENARIOS,
    *timer.SCENARIOS,
    *io.SCENARIOS,
    *signal.SCENARIOS,
)
_BENCHMARK_ID = re.compile(r"(?P<id>[^\[\]]+)(?:\[(?P<params>[^\[\]]*)\])?")


class UnknownScenario(Exception):
    """A pattern matches no scenario; `suggestions` are the nearest names."""

    def __init__(self, name: str, suggestions: tuple[str, ...] = ()) -> None:
        self.name = name
        self.suggestions = suggestions
        nearest = f"; did you mean {' or '.join(suggestions)}?" if suggestions else ""
        super().__init__(
            f"no scenario matches {name!r}{nearest} (`bench list scenarios` shows all)"
        )


def all_scenarios() -> dict[str, type[Scenario]]:
    """Every scenario by id, in the order of the catalogue."""
    return {scenario.id: scenario for scenario in _CATALOGUE}


def select(patterns: Iterable[str]) -> list[type[Scenario]]:
    """The scenarios that any of `patterns` names, in catalogue order; all for no pattern.

    A pattern is a family, a scenario id, a short name, or a glob over ids and short names.
    Raises UnknownScenario for the first pattern that matches nothing.
    """
    wanted = list(patterns)
    if not wanted:
        return list(_CATALOGUE)
    chosen: set[str] = set()
    for pattern in wanted:
        found = {scenario.id for scenario in _CATALOGUE if _matches(scenario, pattern)}
        if not found:
            raise UnknownScenario(pattern, _nearest(pattern))
        chosen |= found
    return [scenario for scenario in _CATALOGUE if scenario.id in chosen]


def benchmark_id(scenario: Scenario) -> str:
    """The id of a scenario with its parameters."""
    shown = sorted(
        f"{param.name}={param.format(scenario.values[param.name])}"
        for param in scenario.params
        if scenario.values[param.name] != param.default
    )
    return f"{scenario.id}[{','.join(shown)}]" if shown else scenario.id


def parse_benchmark_id(text: str) -> tuple[str, dict[str, Any]]:
    """The scenario id and the typed parameters that `text` names.

    Raises UnknownScenario, or BadParam for parameters the scenario does not take.
    """
    match = _BENCHMARK_ID.fullmatch(text)
    scenario = all_scenarios().get(match["id"]) if match else None
    if match is None or scenario is None:
        raise UnknownScenario(text, _nearest(text.partition("[")[0]))
    given: dict[str, str] = {}
    for part in filter(None, (match["params"] or "").split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise BadParam(f"{part!r} in {text!r} is not name=value")
        given[name] = value
    made = scenario(**given)
    return scenario.id, {name: made.values[name] for name in given}


def _matches(scenario: type[Scenario], pattern: str) -> bool:
    family, _, name = scenario.id.partition(".")
    if pattern in (family, name, scenario.id):
        return True
    return fnmatch.fnmatchcase(scenario.id, pattern) or fnmatch.fnmatchcase(name, pattern)


def _nearest(pattern: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for scenario in _CATALOGUE:
        family, _, name = scenario.id.partition(".")
        names.update(dict.fromkeys((family, name, scenario.id)))
    return tuple(difflib.get_close_matches(pattern, names, n=3, cutoff=0.5))
