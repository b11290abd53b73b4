"""`bench run --on`: the hosts at work, and what came of them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli import on
from loopgauge.harness.cli.errors import Problem, Terminated, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.fleet.across import FleetSummary
    from loopgauge.harness.fleet.folder import FleetFile
    from loopgauge.harness.fleet.place import Place
    from loopgauge.harness.request import RunRequest
    from loopgauge.harness.summary import RunSummary
    from loopgauge.harness.verdicts import Verdicts

MOST_TABLES = 8  # of more hosts only what holds on all of them is shown


def run_on(
    place: Place,
    request: RunRequest,
    named: Collection[str],
    *,
    dry_run: bool,
    as_json: bool,
    report: str | None,
) -> None:
    """Leaves with the exit code. `named`: the loops that the user asked for by name."""
    from loopgauge.harness.cli.fleet_report import PAGE
    from loopgauge.harness.cli.output import require_writable
    from loopgauge.harness.verdicts import read_verdicts

    if dry_run:
        show_plan(place, request, as_json=as_json)
        return
    verdicts = read_verdicts()  # a file that cannot be read is said before, not after the run
    page = Path(report) if report else None
    require_writable({"--report": page})
    path, names = measure(place, request)
    if report == "":
        page = path / PAGE
    present(place, path, names, verdicts, named, page, as_json=as_json)


def measure(place: Place, request: RunRequest) -> tuple[Path, dict[str, str]]:
    """The folder, and what the user calls the hosts, by key."""
    from loopgauge.harness.cli.fleet_progress import fleet_display
    from loopgauge.harness.fleet import session

    if request.resume is not None:
        session.read_for_resume(request.resume)  # before a cluster is started for nothing
    elif request.out is not None:
        session.require_place(request.out)
    try:
        with termination_as_interrupt(), on.fleet(place) as fleet:
            names = on.names(fleet)
            with fleet_display(len(fleet.hosts)) as display:
                if request.resume is not None:
                    return session.resume(request.resume, request, fleet, display), names
                return session.run(request, fleet, display), names
    except BaseException as error:
        say_how_to_go_on(place, request, error)
        raise


def say_how_to_go_on(place: Place, request: RunRequest, error: BaseException) -> None:
    """Whatever ended it: Ctrl-C, the scheduler's end, a full disk."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.errors import SchedulerLost, StoreFull
    from loopgauge.harness.fleet.folder import is_fleet

    if not isinstance(error, KeyboardInterrupt | SchedulerLost | StoreFull):
        return
    words = {Terminated: "terminated", SchedulerLost: "scheduler lost", StoreFull: "not written"}
    word = words.get(type(error), "interrupted")
    path = request.resume or request.out
    if path is None or not is_fleet(path):
        click.echo(f"{word}: nothing had been measured yet.", err=True)
        return
    click.echo(f"{word}: what was finished is kept in {shown(path)}", err=True)
    say_command(place, path)


def say_command(place: Place, path: Path) -> None:
    from loopgauge.harness.cli.runs import shown

    tls = " --tls-ca ... --tls-cert ... --tls-key ..." if place.tls else ""
    wheels = " --wheel ..." if place.wheels else ""
    again = f"--on {place.address}{tls}{wheels} --resume {shlex.quote(shown(path))}"
    click.echo(f"go on with: bench run {again}", err=True)


def present(
    place: Place,
    path: Path,
    names: Mapping[str, str],
    verdicts: Verdicts,
    named: Collection[str],
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    """Each host first, then all of them; leaves with the exit code. `page`: where to write one."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.fleet.across import summarise_fleet, summarise_hosts
    from loopgauge.harness.fleet.folder import read_register

    fleet = read_register(path)
    summaries = summarise_hosts(fleet, verdicts)
    code = exit_code(fleet, summaries, named)
    summary = summarise_fleet(fleet, summaries)
    if as_json:
        print_fleet_json(summary, names, code)
    else:
        print_fleet_tables(summary, summaries, names)
    for line in left_out(fleet, summaries, names, named):
        click.echo(f"left out: {line}", err=True)
    click.echo(f"run: {shown(path)}", err=True)
    if not fleet.complete:
        say_command(place, path)
    if page is None:
        click.echo(f"report: bench report {shlex.quote(shown(path))}", err=True)
    else:
        from loopgauge.reports.fleet.page import render_fleet

        click.echo(f"report: {shown(render_fleet(summary, page))}", err=True)
    click.get_current_context().exit(code)


def print_fleet_json(summary: FleetSummary, names: Mapping[str, str], code: ExitCode) -> None:
    from loopgauge.harness.cli.fleet_report import as_builtins
    from loopgauge.harness.cli.output import print_json

    print_json({**as_builtins(summary, code), "names": dict(names)})


def print_fleet_tables(
    summary: FleetSummary, runs: Mapping[str, RunSummary], names: Mapping[str, str]
) -> None:
    from rich.text import Text

    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.fleet_table import print_fleet
    from loopgauge.harness.cli.table import print_run

    console = stdout_console()
    for key, run in runs.items() if len(runs) <= MOST_TABLES else ():
        console.print(Text(f"{names.get(key, key)} ({key})", style="bold"))
        print_run(run, console)
        console.print()
    print_fleet(summary, console, names)


def exit_code(
    fleet: FleetFile, summaries: Mapping[str, RunSummary], named: Collection[str]
) -> ExitCode:
    """NOTHING_MEASURED where no host has a figure; LEFT_OUT where one has not all of them."""
    from loopgauge.harness.cli import outcome

    codes = {outcome.exit_code(summary, named) for summary in summaries.values()}
    if not codes - {ExitCode.NOTHING_MEASURED}:
        return ExitCode.NOTHING_MEASURED
    whole = all(host.state == "done" for host in fleet.hosts.values())
    return ExitCode.OK if codes == {ExitCode.OK} and whole else ExitCode.LEFT_OUT


def left_out(
    fleet: FleetFile,
    summaries: Mapping[str, RunSummary],
    names: Mapping[str, str],
    named: Collection[str],
) -> list[str]:
    """One line per host that did not come to its end, and per thing that one lacks."""
    from loopgauge.harness.cli import outcome

    lines = []
    for key, host in fleet.hosts.items():
        name = names.get(key, key)
        if host.state == "lost":
            lines.append(f"{name}: {host.reason}")
        elif host.state in ("planned", "measuring"):
            lines.append(f"{name}: not finished")
        if key in summaries:
            lines += [f"{name}: {line}" for line in outcome.left_out(summaries[key], named)]
    return lines


@dataclass(frozen=True)
class Planned:
    name: str
    key: str
    unavailable: dict[str, str]  # loop -> why


def show_plan(place: Place, request: RunRequest, *, as_json: bool) -> None:
    """What each host would measure, and which loops it cannot make."""
    from dataclasses import asdict

    from loopgauge.harness.cli.dry_run import make_outline, print_outline
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.fleet.remote import Remote

    if request.resume is not None:
        raise Problem(
            ExitCode.USAGE,
            "--dry-run does not go with --resume",
            "`bench list fleets` shows runs on fleets",
        )
    hosts = []
    with termination_as_interrupt(), on.fleet(place) as fleet:
        for host in fleet.hosts:
            arms = Remote(fleet, host).resolve(request).arms
            missing = {arm.label: arm.reason for arm in arms if not arm.available}
            hosts.append(Planned(host.name, host.key, missing))
    outline = make_outline(request)
    if as_json:
        print_json({"schema": 1, "kind": "plan", **asdict(outline), "hosts": hosts})
        return
    print_outline(outline, {one.name: one.unavailable for one in hosts})
