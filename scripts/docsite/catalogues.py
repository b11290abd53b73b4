"""Every scenario and every rule, as pages."""

from __future__ import annotations

from collections.abc import Iterator

from docsite.markdown import code, prose, table
from loopgauge.conformance.case import all_cases
from loopgauge.conformance.catalogue import Rule, areas
from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.registry import all_scenarios

MEASURES = {"cpu": "CPU time per", "wall": "elapsed time per", "value": "value in"}


def scenarios() -> str:
    families: dict[str, list[type[Scenario]]] = {}
    for scenario in all_scenarios().values():
        families.setdefault(scenario.id.partition(".")[0], []).append(scenario)
    return "\n\n".join(_family(name, members) for name, members in families.items())


def _family(name: str, members: list[type[Scenario]]) -> str:
    parts = [f"## {name} {{ #{name} }}"]
    for scenario in members:
        parts.append(f"### {prose(scenario.id)} {{ #{scenario.id} }}")
        made = scenario()
        tiers = ["native"] * made.has_native + ["floor"] * made.has_floor
        also = f" Also measured: {', '.join(tiers)}." if tiers else ""
        kind = MEASURES[scenario.measure]
        direction = "Lower" if scenario.direction == "lower" else "Higher"
        parts.append(
            f"{prose(scenario.summary.capitalize())}: {kind} {prose(made.unit)}. "
            f"{direction} is better.{also}"
        )
        if scenario.params:
            parts.append(table(["parameter", "default", "values", "means"], _params(scenario)))
        if scenario.rules:
            links = ", ".join(f"[{rule}](rules.md#{rule})" for rule in scenario.rules)
            aside = ", ".join(code(pattern) for pattern in made.irrelevant)
            but = f" Cases that void nothing here: {aside}." if aside else ""
            parts.append(f"INVALID for a loop that breaks one of: {links}.{but}")
    return "\n\n".join(parts)


def _params(scenario: type[Scenario]) -> Iterator[list[str]]:
    for param in scenario.params:
        values = ", ".join(param.format(value) for value in param.values)
        closed = param.closed or param.type not in (int, float)
        shown = values if closed else f"{values} …"
        yield [code(param.name), param.format(param.default), prose(shown), prose(param.help)]


def rules() -> str:
    cases: dict[str, int] = {}
    for made in all_cases().values():
        cases[made.rule.id] = cases.get(made.rule.id, 0) + 1
    parts = []
    for area in areas().values():
        parts.append(f"## {area.id}: {prose(area.title)} {{ #{area.id} }}")
        rows = [_rule(rule, cases.get(rule.id, 0)) for rule in area.rules]
        parts.append(table(["rule", "level", "since", "a loop", "cases", "source"], rows))
    return "\n\n".join(parts)


def _rule(rule: Rule, cases: int) -> list[str]:
    anchor = f'<span id="{rule.id}">{rule.id}</span>'
    tested = str(cases) if cases else "none"
    return [anchor, rule.level, rule.since, prose(rule.text), tested, prose(rule.source)]
