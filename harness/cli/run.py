"""`bench run`: from the command line to a run file, a table and an exit code."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli import exit_codes
from loopgauge.harness.cli.errors import Problem, Terminated, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.on import HELP as ON_HELP
from loopgauge.harness.cli.on import on_options, place_from

if TYPE_CHECKING:
    from loopgauge.harness.fleet.place import Place
    from loopgauge.harness.model import Setting, Tier
    from loopgauge.harness.request import RunRequest
    from loopgauge.harness.verdicts import Verdicts

EPILOG = f"""\b
Examples:
  bench run throughput --quick
  bench run sleep0 'call_soon_*' --loop epoll --loop my_pkg:new_loop
  bench run gather --param size=10 --param size=1000 --seed 7
  bench run my_app:main --loop all
  bench run call_soon_chain --tier all --native ./libmine.so
  bench run throughput --quick --tier deterministic
  bench run --resume latest
  bench run throughput --quick --on dask://scheduler.example:8786
  bench run --on dask://scheduler.example:8786 --resume latest

{ON_HELP}
Every host measures the whole plan from one seed and has a run file of its
own in .bench/fleets/<time>/; `bench report FOLDER` puts them side by side.

{exit_codes.HELP}
\b
--json prints one object: schema, kind ("run-summary"), exit_code, and the
members of the summary: path, header, benchmarks (id, unit, measure,
direction, fastest, aa, arms), aa_ok, advisory, self_check, notes, events.
An arm has arm, status, reason, cost, ratio (cost over that of asyncio: below
1 is better), to_fastest, verdict, values, metrics (what was counted: value,
unit, by_name, tool). Only status "ok" may be compared: one that is "invalid"
for a broken promise keeps its cost and values. Members are added, never
removed. With --on it is what `bench report FOLDER --json` prints, with names
(what the hosts are called, by their keys).

\b
Tiers:
  python         CPU or wall time of the asyncio API, as the scenario says
  native         the same work as C++ callbacks, without Python, on the
                 built-in core, libuv, libevent and Asio, in the same slots
  deterministic  instructions (valgrind), system calls (strace), allocations
                 and context switches per operation: on a noisy machine too
  memory         resident bytes: the peak of the scenario, and of each
                 connection, timer or callback that it holds
"""


TIERS: dict[Tier, str] = {
    "python": "CPU or wall time of the asyncio API",
    "native": "the same as C++ callbacks on the built-in core, libuv, libevent and Asio",
    "deterministic": "instructions, system calls, allocations and context switches, counted",
    "memory": "resident memory, in processes that do nothing else",
}


class RunCommand(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--report` takes a value only with "=", or it would swallow a scenario's name."""
        return super().parse_args(ctx, ["--report=" if a == "--report" else a for a in args])


@click.command(cls=RunCommand, epilog=EPILOG)
@click.argument("what", nargs=-1, metavar="[FAMILY | SCENARIO | GLOB | MODULE:COROUTINE]...")
@click.option(
    "--loop",
    "loops",
    multiple=True,
    metavar="NAME|MODULE:FACTORY|all",
    help="Measure this loop (repeat). Default: epoll, asyncio, uvloop and two peers.",
)
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice([*TIERS, "all"]),
    metavar="TIER",
    help=f"What to find out (repeat): {', '.join(TIERS)} or all. Default: python.",
)
@click.option(
    "--native",
    "natives",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE.so",
    help="Measure this native backend, too (repeat); see loops/include/loopgauge_native.h.",
)
@click.option(
    "--quick/--full",
    "quick",
    default=False,
    help="Seconds per scenario, wider intervals; or the full setting (default).",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a scenario's parameter; repeat a key to measure several values.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH|VERSION",
    help="Measure on this Python (repeat); arms are then called loop@python.",
)
@on_options
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a run's random order.")
@click.option("--cpus", metavar="LIST", help="Pin the workers to these CPUs, such as 1 or 0,2-3.")
@click.option("--dry-run", is_flag=True, help="Show what would be measured, and measure nothing.")
@click.option("--resume", metavar="FILE|latest", help="Go on with a run that was interrupted.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to keep the run. Default: .bench/runs/<time>.jsonl; with --on a folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@click.option("--report", metavar="[=FILE]", help="Also make an HTML report.")
def run(
    what: tuple[str, ...],
    loops: tuple[str, ...],
    tiers: tuple[str, ...],
    natives: tuple[str, ...],
    quick: bool,
    params: tuple[str, ...],
    pythons: tuple[str, ...],
    seed: int | None,
    cpus: str | None,
    dry_run: bool,
    resume: str | None,
    out: Path | None,
    as_json: bool,
    report: str | None,
    **elsewhere: Any,
) -> None:
    """Measure event loops and keep every sample in a run file.

    WHAT is a family (throughput), a scenario (sleep0), a pattern ('call_soon_*'), a benchmark id
    from an earlier table, or a coroutine function of yours; without it, everything is measured.
    Every run holds stock asyncio, and a second copy of it as a self-check.
    """
    from loopgauge.harness.verdicts import read_verdicts

    if resume is not None:
        refuse_beside_resume(what=what, loop=loops, tier=tiers, native=natives, param=params,
                             python=pythons, seed=seed, cpus=cpus, out=out)  # fmt: skip
    place = place_from(**elsewhere)
    if place is not None and pythons:
        raise click.UsageError(
            "--python goes without --on: a host measures its worker's Python. Start a Dask worker "
            "for each Python."
        )
    setting: Setting = "quick" if quick else "full"
    request = make_request(
        what,
        loops,
        setting,
        params,
        pythons,
        chosen_tiers(tiers, natives),
        seed,
        cpus,
        resume,
        out,
        natives,
        place,
    )
    if place is not None:
        from loopgauge.harness.cli import fleet_run

        named = [name for name in loops if name != "all"]
        fleet_run.run_on(place, request, named, dry_run=dry_run, as_json=as_json, report=report)
        return
    if dry_run:
        from loopgauge.harness.cli.dry_run import show_plan

        show_plan(request, as_json=as_json)
        return
    verdicts = read_verdicts()  # a file that cannot be read is said before, not after the run
    path = measure(request)
    present(
        path,
        verdicts,
        named=[name for name in loops if name != "all"],
        as_json=as_json,
        report=report,
    )


def make_request(
    what: Sequence[str],
    loops: Sequence[str],
    setting: Setting,
    params: Sequence[str],
    pythons: Sequence[str],
    tiers: Sequence[Tier],
    seed: int | None,
    cpus: str | None,
    resume: str | None,
    out: Path | None,
    natives: Sequence[str] = (),
    place: Place | None = None,
) -> RunRequest:
    from loopgauge.harness.cli.runs import find_fleet, find_run, import_from_here
    from loopgauge.harness.cli.selection import chosen_benchmarks, chosen_loops
    from loopgauge.harness.fleet.folder import new_folder
    from loopgauge.harness.manager import new_path
    from loopgauge.harness.request import RunRequest

    # A folder of ours means nothing on another machine: there code travels by wheel.
    path = [str(import_from_here())] if place is None or place.local_workers else []
    if resume is not None:
        found = find_run(resume) if place is None else find_fleet(resume)
        require_kind(found, place)
        return RunRequest(resume=found, path=path)
    if place is None and out is not None and out.is_dir():
        raise click.BadParameter(f"{out} is a folder.", param_hint="--out")
    return RunRequest(
        benchmarks=chosen_benchmarks(
            what, setting, key_values(params), tiers, elsewhere=place is not None
        ),
        arms=chosen_loops(loops, tiers),
        setting=setting,
        tiers=tiers,
        natives=natives,
        seed=seed,
        cpus=cpu_list(cpus, None if place else os.sched_getaffinity(0)) if cpus else None,
        pythons=pythons,
        out=out or (new_path() if place is None else new_folder()),  # here, for interruptions
        path=path,
        command=discreet(["bench", *sys.argv[1:]]),
    )


def require_kind(path: Path, place: Place | None) -> None:
    """A run of one machine goes on there, and one of a fleet on a fleet."""
    from loopgauge.harness.fleet.folder import is_fleet

    if place is None and is_fleet(path):
        raise Problem(
            ExitCode.USAGE,
            f"{path} is a run on a fleet",
            "Say where its hosts are: --on dask://HOST:PORT --resume " + shlex.quote(str(path)),
        )
    if place is not None and path.is_file() and not is_fleet(path):
        raise Problem(
            ExitCode.USAGE, f"{path} is the run of one machine", "Go on with it there, without --on"
        )


# Their values name machines, or files and indexes of somebody's own.
PRIVATE = ("--on", "--index", "--tls-ca", "--tls-cert", "--tls-key", "--wheel")


def discreet(command: Sequence[str]) -> list[str]:
    """As it may be kept in a file that may be published."""
    kept: list[str] = []
    for word in command:
        option, equals, value = word.partition("=")
        if kept and kept[-1] in PRIVATE and not word.startswith("local:"):
            kept.append("...")
        elif equals and option in PRIVATE and not value.startswith("local:"):
            kept.append(f"{option}=...")
        else:
            kept.append(word)
    return kept


def chosen_tiers(names: Sequence[str], natives: Sequence[str] = ()) -> list[Tier]:
    """In the order in which they are done, whatever the order they were named in. Who names a
    native backend wants to see it."""
    wanted = set(TIERS) if "all" in names else set(names or ["python"])
    if natives:
        wanted.add("native")
    return [tier for tier in TIERS if tier in wanted]


def refuse_beside_resume(**options: object) -> None:
    """A resumed run takes all of these from its file: one that differs would be ignored."""
    for name, value in options.items():
        if value not in ((), None):
            shown = "WHAT" if name == "what" else f"--{name}"
            raise click.UsageError(f"--resume takes up a run as it was begun; leave out {shown}.")


def key_values(params: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for param in params:
        key, equals, value = param.partition("=")
        if not (key and equals):
            raise click.UsageError(f"--param takes KEY=VALUE, not {param!r}.")
        found.setdefault(key, []).append(value)
    return found


def cpu_list(text: str, allowed: set[int] | None) -> list[int]:
    """`allowed`: by this process; None where the CPUs are other machines'."""
    cpus: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            cpus.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise click.UsageError(f"--cpus takes a list such as 0,2-3, not {text!r}.") from None
    if not cpus or min(cpus) < 0:
        raise click.UsageError(f"--cpus takes a list such as 0,2-3, not {text!r}.")
    if allowed is not None and not cpus <= allowed:
        have = ",".join(map(str, sorted(allowed)))
        raise click.UsageError(f"--cpus {text}: this process may use {have}.")
    return sorted(cpus)


def measure(request: RunRequest) -> Path:
    from loopgauge.harness import manager
    from loopgauge.harness.cli.progress import progress_display

    try:
        with termination_as_interrupt(), progress_display() as display:
            return manager.run(request, display)
    except BaseException as error:
        drop_if_empty(request.out)
        if isinstance(error, KeyboardInterrupt):
            say_how_to_go_on(request, error)
        raise


def drop_if_empty(path: Path | None) -> None:
    """A run that ends before its first record must not become `latest`."""
    if path is not None and path.is_file() and not path.stat().st_size:
        path.unlink()


def say_how_to_go_on(request: RunRequest, interruption: KeyboardInterrupt) -> None:
    from loopgauge.harness.cli.runs import shown

    word = "terminated" if isinstance(interruption, Terminated) else "interrupted"
    path = request.resume or request.out
    if path is None or not path.exists() or not path.stat().st_size:
        click.echo(f"{word}: nothing had been measured yet.", err=True)
        return
    click.echo(f"{word}: what was finished is kept in {shown(path)}", err=True)
    click.echo(f"go on with: bench run --resume {shlex.quote(shown(path))}", err=True)


def present(
    path: Path, verdicts: Verdicts, named: Collection[str], *, as_json: bool, report: str | None
) -> None:
    """The table or the JSON, the report, where things are; leaves with the exit code."""
    from loopgauge.harness.cli import outcome
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.cli.table import print_run
    from loopgauge.harness.store import read_run
    from loopgauge.harness.summary import summarise

    summary = summarise(read_run(path), verdicts=verdicts)
    code = outcome.exit_code(summary, named)
    if as_json:
        print_json(outcome.as_json(summary, code))
    else:
        print_run(summary, stdout_console())
    for line in outcome.left_out(summary, named):
        click.echo(f"left out: {line}", err=True)
    click.echo(f"run: {shown(path)}", err=True)
    if report is None:
        click.echo(f"report: bench report {shlex.quote(shown(path))}", err=True)
    else:
        from loopgauge.reports import render

        made = render([summary], Path(report) if report else path.with_suffix(".html"))
        click.echo(f"report: {shown(made)}", err=True)
    click.get_current_context().exit(code)
