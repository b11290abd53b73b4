"""`bench validate`: a loop that nobody here has seen, from its first promise to its speed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.errors import termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.on import HELP as ON_HELP
from loopgauge.harness.cli.on import on_options, place_from

if TYPE_CHECKING:
    from loopgauge.harness.cli.validation import Validation

PEERS = ("asyncio", "uvloop")  # what speed is compared with

EPILOG = f"""\b
Examples:
  bench validate my_pkg:new_event_loop
  bench validate my_pkg:new_event_loop --expectations known.toml --report site/
  bench validate my_pkg:new_event_loop --no-measure --lane rules
  bench validate my_pkg:new_event_loop --on dask://10.0.0.1:8786 --wheel my_pkg.whl

\b
All lanes of `bench conformance` are asked, then every scenario is measured
quickly against asyncio and uvloop (`bench run --quick`). What to do next is
ranked by how many MUST cases wait for it, so that a loop that is only begun
gets a list to work through.

{ON_HELP}
\b
Exit codes:
  0    no unexpected failure of a MUST case, and measured
  2    usage: an option or a name is wrong
  4    the loop cannot be asked or measured at all
  5    conformance: a MUST case or another lane's test fails unexpectedly, or a
       known fault is gone
  6    finished, but something was left out, or has no verdict (HARNESS)
  8    environment: disk, result store
  130  interrupted (Ctrl-C); 143 terminated
\b
--json prints one object: schema, kind ("validation"), exit_code, conformance
(as of `bench conformance --json`), next_steps (kind, name, what, must, should,
first), run (the run file, or null), not_measured (why, or ""). With --on: schema,
kind ("validation-fleet"), exit_code, left_out, run (the folder of the fleet's
run) and validations: for each Python of the cluster hosts and what is above.
"""


@click.command("validate", epilog=EPILOG)
@click.argument("loop", metavar="NAME|MODULE:FACTORY")
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    type=click.Choice(["rules", "cpython", "differential", "ecosystem", "all"]),
    help="Which kind of questions (repeat). Default: all.",
)
@click.option(
    "--measure",
    "families",
    multiple=True,
    metavar="FAMILY|SCENARIO",
    help="Measure only this (repeat). Default: every scenario.",
)
@click.option("--no-measure", is_flag=True, help="Ask for conformance only.")
@click.option(
    "--expectations",
    "expected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file with the loop's known faults (see `bench conformance --update-expectations`).",
)
@click.option(
    "--jobs",
    default=len(os.sched_getaffinity(0)),
    type=click.IntRange(1),
    show_default="one per CPU",
    help="Cases at a time.",
)
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Where the HTML goes. Default: beside the result.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@on_options
def validate(
    loop: str,
    lanes: tuple[str, ...],
    families: tuple[str, ...],
    no_measure: bool,
    expected: Path | None,
    jobs: int,
    report: Path | None,
    as_json: bool,
    **elsewhere: Any,
) -> None:
    """Say what a new loop keeps, what to do next, and how fast it is."""
    from loopgauge.conformance import store
    from loopgauge.harness.cli.conformance import given, refuse_with_on
    from loopgauge.harness.cli.runs import import_from_here, shown
    from loopgauge.harness.cli.selection import chosen_benchmarks, chosen_loops
    from loopgauge.harness.cli.validation import Validation, print_as_json, show, write_report

    place = place_from(**elsewhere)
    if place is not None:
        refuse_with_on(jobs=given("jobs", jobs))
    import_from_here()
    if not no_measure:
        chosen_benchmarks(families, "quick", {}, ["python"])  # a wrong name is told now, not later
        chosen_loops([loop])
    if place is not None:
        from loopgauge.harness.cli.validate_on import validate_on

        code = validate_on(place, loop, lanes or ("all",), families, expected, report,
                           measuring=not no_measure, as_json=as_json)  # fmt: skip
        click.get_current_context().exit(code)
    path, left_out = ask(loop, lanes or ("all",), expected, jobs)
    run, not_measured = (None, "not asked for") if no_measure else measured(loop, families)
    found = Validation(loop, store.read(path), left_out, [run] if run else [], not_measured)
    code = exit_code(found, measurement_wanted=not no_measure)
    if as_json:
        print_as_json(found, code)
    else:
        show(found)
    page = write_report(found, report or path.with_suffix(""))
    click.echo(f"report: {shown(page)}", err=True)
    click.get_current_context().exit(code)


def ask(
    loop: str, lanes: Sequence[str], expected: Path | None, jobs: int
) -> tuple[Path, list[str]]:
    """The result of all lanes, stock asyncio beside the loop, and what was left out."""
    from loopgauge.conformance import session, store
    from loopgauge.conformance.asking import Here
    from loopgauge.conformance.runner.pool import Pool
    from loopgauge.harness.cli import questions
    from loopgauge.harness.cli.verdicts_shown import Shown, say_what_is_kept

    request = questions.make_request((), [loop], questions.chosen_lanes(lanes))
    questions.refuse_nobody(request)
    questions.expect(request, {loop: expected} if expected else {})
    path = store.new_path()
    listener = Shown(counts_only=True)
    try:
        with (
            termination_as_interrupt(),
            Pool(jobs, path=[str(Path.cwd())]) as pool,
            store.Writer(path) as writer,
            listener,
        ):
            session.run(request, Here(pool), writer, listener)
    except KeyboardInterrupt:
        say_what_is_kept(path)
        raise
    return path, listener.left_out


def measured(loop: str, families: Sequence[str]) -> tuple[Path | None, str]:
    """The run file of the quick measurement, or why there is none: a loop that is only begun
    cannot be measured, and that is no error of the user's."""
    from loopgauge.harness.cli.run import make_request, measure
    from loopgauge.harness.errors import NothingToMeasure
    from loopgauge.loops.registry import LoopError

    loops = beside_peers(loop)
    request = make_request(families, loops, "quick", (), (), ["python"], None, None, None, None)
    try:
        return measure(request), ""
    except (NothingToMeasure, LoopError) as error:
        return None, str(error)


def beside_peers(loop: str) -> list[str]:
    from loopgauge.loops.registry import resolve

    return [loop, *(name for name in PEERS if resolve(name).name != loop)]


def exit_code(found: Validation, *, measurement_wanted: bool) -> ExitCode:
    from loopgauge.conformance.model import FAILING

    for verdict in found.verdicts:
        fails = verdict.level in ("MUST", "") and verdict.verdict in FAILING
        if verdict.status == "fixed" or (verdict.status == "unexpected" and fails):
            return ExitCode.CONFORMANCE
    undecided = any(verdict.verdict == "HARNESS" for verdict in found.verdicts)
    missing = found.left_out or undecided or (measurement_wanted and not found.runs)
    return ExitCode.LEFT_OUT if missing else ExitCode.OK
