"""`bench conformance`: which promises of asyncio a loop keeps, with the evidence."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.run import RunCommand, refuse_beside_resume

if TYPE_CHECKING:
    from loopgauge.conformance.model import Verdict
    from loopgauge.conformance.session import Request
    from loopgauge.conformance.store import Results

DEFAULT_LOOPS = ("epoll",)
T = TypeVar("T")

EPILOG = """\b
Examples:
  bench conformance
  bench conformance TIME --loop uvloop
  bench conformance 'SOCK-02*' --loop my_pkg:new_event_loop --repeat 5
  bench conformance --last-failed
  bench conformance --resume latest
  bench conformance --loop my_pkg:new_event_loop --expectations known.toml
  bench conformance SOON-001.three --loop uvloop --in-process

\b
Stock asyncio is always asked first: where it fails in a way that is not known,
the case is wrong, and the verdict HARNESS. Each case has a process of its own.
--resume asks what an interrupted run did not get to; give --env again.
Known faults of a loop stand in its expectation file; the exit code is about
what is not in there. The result is kept under .bench/conformance.

\b
--json prints one object: result, python, selection, complete, whole (everything
was asked), left_out, exit_code, and in loops for each: profiles (profile, state,
must, must_failing, must_unimplemented, should, should_passed, harness,
failing_rules), verdicts (lane -> verdict -> how many), unexpected and fixed
(case, verdict, level, reason). The schema of a result's lines is in
conformance/schema.

\b
Exit codes:
  0    every verdict is expected
  2    usage: an option or a name is wrong
  4    no loop could be asked, or the run cannot go on here
  5    conformance: an unexpected verdict, or a known fault that is gone
  6    finished, but a lane or a loop was left out
  8    environment: disk, result store
  130  interrupted (Ctrl-C); 143 terminated
"""


@click.command("conformance", cls=RunCommand, epilog=EPILOG)
@click.argument("what", nargs=-1, metavar="[AREA | RULE | CASE | GLOB]...")
@click.option(
    "--loop",
    "loops",
    multiple=True,
    metavar="NAME|MODULE:FACTORY|all",
    help=f"Ask this loop (repeat). Default: {', '.join(DEFAULT_LOOPS)}.",
)
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    type=click.Choice(["rules", "cpython", "differential", "ecosystem", "all"]),
    help="Which kind of questions (repeat). Default: rules.",
)
@click.option("--repeat", default=1, type=click.IntRange(1), help="Ask everything N times.")
@click.option(
    "--jobs",
    default=len(os.sched_getaffinity(0)),
    type=click.IntRange(1),
    show_default="one per CPU",
    help="Cases at a time.",
)
@click.option("--env", "variables", multiple=True, metavar="K=V", help="Set for the cases.")
@click.option(
    "--last-failed", is_flag=True, help="Only what the newest result was not content with."
)
@click.option(
    "--expectations",
    "expected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What is known about the loop; needs exactly one --loop. Default: the suite's own file.",
)
@click.option(
    "--update-expectations",
    is_flag=True,
    help="Write what was unexpected into the file; give each entry a reason afterwards.",
)
@click.option(
    "--in-process",
    is_flag=True,
    help="Run the cases in this process, one after the other, for a debugger; stock is not asked.",
)
@click.option("--resume", metavar="FILE|latest", help="Go on with a run that was interrupted.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result here.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON (see below).")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write JUnit XML; known faults are skipped there, with their reason.",
)
@click.option(
    "--badge",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg",
    help="Also write a badge for the one --loop, and FILE.json for shields.io's endpoint.",
)
@click.option(
    "--report", metavar="[=FOLDER]", help="Also make the HTML matrix, with a page per case."
)
def conformance(
    what: tuple[str, ...],
    loops: tuple[str, ...],
    lanes: tuple[str, ...],
    repeat: int,
    jobs: int,
    variables: tuple[str, ...],
    last_failed: bool,
    expected: Path | None,
    update_expectations: bool,
    in_process: bool,
    resume: str | None,
    out: Path | None,
    as_json: bool,
    junit: Path | None,
    badge: Path | None,
    report: str | None,
) -> None:
    """Say which promises of asyncio a loop keeps, with the evidence."""
    from loopgauge.conformance import session, store
    from loopgauge.conformance.asking import Here
    from loopgauge.conformance.runner.pool import InProcess, Pool
    from loopgauge.harness.cli import questions, resuming
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.verdicts_shown import Shown, present, say_what_is_kept
    from loopgauge.loops.registry import known_loops

    here = str(import_from_here())
    earlier: Results | None = None
    if resume is not None:
        taken = {"last-failed": last_failed or None, "in-process": in_process or None}
        refuse_beside_resume(what=what, loop=loops, lane=lanes, repeat=given("repeat", repeat),
                             out=out, **taken)  # fmt: skip
        earlier = resuming.interrupted(resume)
        request = resuming.request(earlier)
        names = [one.loop for one in request.header.subjects if one.loop != session.STOCK]
        loops = tuple(names)
    else:
        names, only, asked = [*loops] or [*DEFAULT_LOOPS], None, questions.chosen_lanes(lanes)
        if last_failed:
            names, only, asked = questions.last_failed(what, loops, lanes)
        request = questions.make_request(what, names, asked, with_stock=not in_process)
        questions.refuse_nobody(request)
        request.only = only
        if only is not None:
            request.header.selection = sorted(only)
        request.header.repeat = repeat
    if expected is not None and (len(set(loops)) != 1 or "all" in loops):
        raise click.UsageError("--expectations belongs to one loop; name just one --loop.")
    if update_expectations and expected is None and not known_loops().keys() >= {*names} - {"all"}:
        raise click.UsageError("--update-expectations needs --expectations FILE for such a loop.")
    own = {loops[0]: expected} if expected else {}
    questions.expect(request, own, begin=update_expectations)
    if badge is not None and (len(names) != 1 or "all" in names or badge.suffix != ".svg"):
        raise click.UsageError("--badge belongs to one loop, and to a file that ends in .svg.")
    variables_set = questions.key_values(variables)
    runner = InProcess(variables_set, [here]) if in_process else Pool(jobs, variables_set, [here])
    shown = Shown(earlier)
    path = earlier.path if earlier else out or store.new_path()
    if earlier is None and path.exists() and path.stat().st_size:
        raise Problem(ExitCode.USAGE, f"{path} holds something already", "Name another --out")
    try:
        with (
            termination_as_interrupt(),
            runner as pool,
            store.Writer(path) as writer,
            shown,
        ):
            session.run(request, Here(pool), writer, shown, earlier)
    except KeyboardInterrupt:
        say_what_is_kept(path, resumable=not in_process)
        raise
    code = shown.exit_code(request.header)
    present(
        path,
        as_json=as_json,
        junit=junit,
        badge=badge,
        report=report,
        left_out=shown.left_out,
        code=code,
    )
    if update_expectations:
        # Stock's own file is changed by those who ask stock, not by all who are compared with it.
        stock_too = not {session.STOCK, "all"}.isdisjoint(names)
        seen = store.read(path).verdicts
        update(request, [one for one in seen if one.loop != session.STOCK or stock_too])
        return
    raise click.exceptions.Exit(code)


def given(option: str, value: T) -> T | None:
    """The value, unless it is the option's default."""
    source = click.get_current_context().get_parameter_source(option)
    return None if source is click.core.ParameterSource.DEFAULT else value


def update(request: Request, verdicts: Sequence[Verdict]) -> None:
    """Makes the expectation file of every loop say what was seen, and tells what changed."""
    from loopgauge.conformance import expectations

    for loop in dict.fromkeys(verdict.loop for verdict in verdicts):
        path = request.expectations.get(loop) or expectations.path_of(loop)
        own = [verdict for verdict in verdicts if verdict.loop == loop]
        for line in expectations.update(path, own):
            click.echo(f"{path.name}: {line}", err=True)
