"""`bench validate --on`: a loop on the machines of a cluster, its promises and then its speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.cli.conformance_on import Asked, Part
    from loopgauge.harness.cli.validation import Validation
    from loopgauge.harness.fleet.folder import FleetFile
    from loopgauge.harness.fleet.place import Place

#: Where several apply, the first of these counts.
WORST = (ExitCode.CONFORMANCE, ExitCode.LEFT_OUT, ExitCode.OK)


def validate_on(
    place: Place,
    loop: str,
    lanes: Sequence[str],
    families: Sequence[str],
    expected: Path | None,
    report: Path | None,
    *,
    measuring: bool,
    as_json: bool,
) -> ExitCode:
    """Asks, measures and shows. Hosts that give their verdicts together have one page."""
    from loopgauge.harness.cli import conformance_on
    from loopgauge.harness.cli.questions import chosen_lanes
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.cli.survey import Wanted
    from loopgauge.harness.cli.validate import exit_code
    from loopgauge.harness.cli.validation import show, write_report

    wanted = Wanted(lanes=chosen_lanes(lanes), loops=[loop])
    own = {loop: expected} if expected else {}
    asked = conformance_on.run(place, wanted, own=own, counts_only=True)
    fleet: FleetFile | None = None
    names: dict[str, str] = {}
    not_measured = "not asked for"
    if measuring:
        fleet, names, not_measured = measured(place, loop, families)
    validations = [validation_of(loop, part, fleet, not_measured) for part in asked.parts]
    codes = [exit_code(found, measurement_wanted=measuring) for found in validations]
    unfinished = asked.left_out or (fleet is not None and not fleet.complete)
    codes.append(ExitCode.LEFT_OUT if unfinished else ExitCode.OK)
    code = next(one for one in WORST if one in codes)
    if as_json:
        print_as_json(asked, validations, fleet, code)
    else:
        for found in validations:
            show(found, speed=False)
        if fleet is not None:
            show_speed(fleet, names)
    several = len(validations) > 1
    for found in validations:
        folder = report or found.results.path.with_suffix("")
        page = write_report(found, folder / found.results.path.stem if several else folder)
        click.echo(f"report: {shown(page)}", err=True)
    return code


def validation_of(loop: str, part: Part, fleet: FleetFile | None, not_measured: str) -> Validation:
    """What the hosts of one group say, in verdicts and figures."""
    from loopgauge.conformance import store
    from loopgauge.harness.cli.validation import Validation

    keys = [host.key for host in part.group.hosts]
    runs = [fleet.runs[key].path for key in keys if key in fleet.runs] if fleet else []
    if fleet is not None and not runs:
        reasons = [fleet.hosts[key].reason for key in keys if key in fleet.hosts]
        not_measured = "; ".join(filter(None, dict.fromkeys(reasons))) or "its host was not there"
    results = store.read(part.path)
    return Validation(loop, results, part.shown.left_out, runs, "" if runs else not_measured)


def measured(
    place: Place, loop: str, families: Sequence[str]
) -> tuple[FleetFile | None, dict[str, str], str]:
    """The quick measurement on every host, what the user calls them, and why there is none."""
    from loopgauge.harness.cli import fleet_run
    from loopgauge.harness.cli.run import make_request
    from loopgauge.harness.cli.validate import beside_peers
    from loopgauge.harness.errors import NothingToMeasure
    from loopgauge.harness.fleet.folder import read_fleet
    from loopgauge.loops.registry import LoopError

    request = make_request(
        families, beside_peers(loop), "quick", (), (), ["python"], None, None, None, None,
        place=place,
    )  # fmt: skip
    try:
        path, names = fleet_run.measure(place, request)
    except (NothingToMeasure, LoopError) as error:
        return None, {}, str(error)
    return read_fleet(path), names, ""


def show_speed(fleet: FleetFile, names: dict[str, str]) -> None:
    from loopgauge.harness.cli.fleet_run import print_fleet_tables
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.fleet.across import summarise_fleet
    from loopgauge.harness.summary import summarise
    from loopgauge.harness.verdicts import read_verdicts

    verdicts = read_verdicts()
    summaries = {key: summarise(run, verdicts=verdicts) for key, run in fleet.runs.items()}
    print_fleet_tables(summarise_fleet(fleet, summaries), summaries, names)
    click.echo(f"run: {shown(fleet.path)}", err=True)


def print_as_json(
    asked: Asked, validations: Sequence[Validation], fleet: FleetFile | None, code: ExitCode
) -> None:
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.validation import as_json

    print_json(
        {
            "schema": 1,
            "kind": "validation-fleet",
            "exit_code": int(code),
            "left_out": asked.left_out,
            "run": str(fleet.path) if fleet else None,
            "validations": [
                {"hosts": [host.name for host in part.group.hosts], **as_json(found)}
                for part, found in zip(asked.parts, validations, strict=True)
            ],
        }
    )
