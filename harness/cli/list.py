"""`bench list`: the loops, scenarios, rules and runs there are. Imports no backend of Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

EPILOG = """\b
Examples:
  bench list loops
  bench list scenarios --json
  bench list rules
  bench list runs
  bench list fleets

\b
--json prints {"schema": 1, "kind": "loops" | "scenarios" | "rules" | "runs" |
 "fleets", "items": [...]}:
  loops      name, version, available, reason, factory, distribution,
             requires_python, capabilities, default, notes
  scenarios  id, family, summary, unit, measure, direction, rules, requires,
             params (name, type, default, values, help), quick, full
  rules      id, level, since, area, profile, text, source, rationale, observed,
             untested, changed, cases
  runs       path, name, readable, reason, created, setting, complete,
             benchmarks, loops
  fleets     path, name, readable, reason, created, setting, complete,
             hosts (key, state, python, cpu_model)
Members are added, never removed.
"""


@click.command("list", epilog=EPILOG)
@click.argument("what", type=click.Choice(["loops", "scenarios", "rules", "runs", "fleets"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def list_command(what: str, as_json: bool) -> None:
    """Show the loops, scenarios, conformance rules, runs or runs on fleets there are."""
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json

    items, table = LISTINGS[what]
    found = items()
    if as_json:
        print_json({"schema": 1, "kind": what, "items": found})
    elif not found:
        command = "bench run --on" if what == "fleets" else "bench run"
        click.echo(f"There are no {what} here yet; `{command}` makes one.", err=True)
    else:
        stdout_console().print(table(found))


def loop_items() -> list[dict[str, Any]]:
    from loopgauge.loops.registry import availability, default_loops, known_loops

    defaults = default_loops()
    items = []
    for spec in known_loops().values():
        found = availability(spec)
        items.append(
            {
                "name": spec.name,
                "version": found.version,
                "available": found.ok,
                "reason": found.reason,
                "factory": spec.factory,
                "distribution": spec.distribution,
                "requires_python": spec.requires_python,
                "capabilities": sorted(spec.capabilities),
                "default": spec.name in defaults,
                "notes": spec.notes,
            }
        )
    return [*items, *native_items()]


def native_items() -> list[dict[str, Any]]:
    """The loops of the native tier; loads their libraries."""
    from loopgauge.harness.interpreter import natives
    from loopgauge.harness.worker.engine import load_engine

    load_engine()  # in the only way in which it is to be loaded
    return [
        {
            "name": f"native:{backend['name']}",
            "version": backend["version"],
            "available": not backend["reason"],
            "reason": backend["reason"],
            "factory": None,
            "distribution": None,
            "requires_python": "",
            "capabilities": [],
            "default": False,
            "notes": "measured with --tier native",
        }
        for backend in natives([])
    ]


def loop_table(items: list[dict[str, Any]]) -> Table:
    table = plain_table("loop", "version", "here", "")
    for item in items:
        here = "yes" if item["available"] else f"no: {item['reason']}"
        notes = "measured by default" if item["default"] else ""
        if item["factory"] is None:
            notes = item["notes"]
        table.add_row(item["name"], item["version"], here, notes)
    return table


def scenario_items() -> list[dict[str, Any]]:
    from loopgauge.scenarios.registry import all_scenarios

    return [
        {
            "id": scenario.id,
            "family": scenario.id.partition(".")[0],
            "summary": scenario.summary,
            "unit": scenario().unit,  # may depend on the parameters
            "measure": scenario.measure,
            "direction": scenario.direction,
            "rules": [*scenario.rules],
            "irrelevant": scenario().irrelevant,  # with other parameters it may be others
            "requires": sorted(scenario.requires),
            "params": [
                {
                    "name": param.name,
                    "type": param.type.__name__,
                    "default": param.default,
                    "values": [*param.values],
                    "help": param.help,
                }
                for param in scenario.params
            ],
            "quick": [*scenario.quick],
            "full": [*scenario.full],
        }
        for scenario in all_scenarios().values()
    ]


def scenario_table(items: list[dict[str, Any]]) -> Table:
    table = plain_table("scenario", "what is measured", "parameters")
    for item in items:
        params = ", ".join(f"{param['name']}={param['default']}" for param in item["params"])
        table.add_row(item["id"], item["summary"], params)
    return table


def rule_items() -> list[dict[str, Any]]:
    from dataclasses import asdict

    from loopgauge.conformance.case import all_cases
    from loopgauge.conformance.catalogue import areas

    cases: dict[str, list[str]] = {}
    for case in all_cases().values():
        cases.setdefault(case.rule.id, []).append(case.id)
    return [
        {
            **asdict(rule),
            "area": area.title,
            "profile": area.profile,
            "cases": cases.get(rule.id, []),
        }
        for area in areas().values()
        for rule in area.rules
    ]


def rule_table(items: list[dict[str, Any]]) -> Table:
    table = plain_table("rule", "level", "since", "cases", "")
    for item in items:
        cases = str(len(item["cases"])) if not item["untested"] else "untested"
        table.add_row(item["id"], item["level"], item["since"], cases, item["text"])
    return table


def run_items() -> list[dict[str, Any]]:
    """Newest first, by the name `latest~N`."""
    from loopgauge.harness.cli.runs import stored_runs

    newest_first = reversed(stored_runs())
    return [run_item(path, back) for back, path in enumerate(newest_first)]


def run_item(path: Path, back: int) -> dict[str, Any]:
    from loopgauge.harness.errors import RunFileError
    from loopgauge.harness.store import read_whole

    item = {"path": str(path), "name": f"latest~{back}" if back else "latest"}
    try:
        run, problem = read_whole(path)
    except RunFileError as error:
        return {**item, "readable": False, "reason": error.cause}
    return {
        **item,
        "readable": True,
        "reason": problem,
        "created": run.header.created,
        "setting": run.header.setting,
        "complete": run.complete,
        "benchmarks": [benchmark.id for benchmark in run.header.benchmarks],
        "loops": [
            arm.label for arm in run.header.arms if arm.role not in ("aa", "floor", "native")
        ],
    }


def run_table(items: list[dict[str, Any]]) -> Table:
    table = plain_table("run", "file", "setting", "benchmarks", "loops", "")
    for item in items:
        if not item["readable"]:
            table.add_row(item["name"], item["path"], "", "", "", item["reason"])
            continue
        state = item["reason"] or ("" if item["complete"] else "not finished")
        table.add_row(
            item["name"],
            item["path"],
            item["setting"],
            str(len(item["benchmarks"])),
            ", ".join(item["loops"]),
            state,
        )
    return table


def fleet_items() -> list[dict[str, Any]]:
    """Newest first, by the name `latest~N`."""
    from loopgauge.harness.cli.runs import stored_fleets

    newest_first = reversed(stored_fleets())
    return [fleet_item(path, back) for back, path in enumerate(newest_first)]


def fleet_item(path: Path, back: int) -> dict[str, Any]:
    from loopgauge.harness.errors import RunFileError
    from loopgauge.harness.fleet.folder import read_register

    item = {"path": str(path), "name": f"latest~{back}" if back else "latest"}
    try:
        fleet = read_register(path)
    except RunFileError as error:
        return {**item, "readable": False, "reason": error.cause}
    return {
        **item,
        "readable": True,
        "reason": "",
        "created": fleet.header.created,
        "setting": fleet.header.asked.setting,
        "complete": fleet.complete,
        "hosts": [
            {
                "key": host.key,
                "state": host.state,
                "python": host.python,
                "cpu_model": host.cpu_model,
            }
            for host in fleet.hosts.values()
        ],
    }


def fleet_table(items: list[dict[str, Any]]) -> Table:
    table = plain_table("run", "folder", "setting", "hosts", "")
    for item in items:
        if not item["readable"]:
            table.add_row(item["name"], item["path"], "", "", item["reason"])
            continue
        states = [host["state"] for host in item["hosts"]]
        told = ", ".join(f"{states.count(one)} {one}" for one in dict.fromkeys(states))
        state = "" if item["complete"] else "not finished"
        table.add_row(item["name"], item["path"], item["setting"], told.replace("_", " "), state)
    return table


def plain_table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


LISTINGS = {
    "loops": (loop_items, loop_table),
    "scenarios": (scenario_items, scenario_table),
    "rules": (rule_items, rule_table),
    "runs": (run_items, run_table),
    "fleets": (fleet_items, fleet_table),
}
