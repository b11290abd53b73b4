"""`bench conformance`: which promises of asyncio a loop keeps, with the evidence."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.on import HELP as ON_HELP
from loopgauge.harness.cli.on import on_options, place_from
from loopgauge.harness.cli.run import RunCommand, refuse_beside_resume

if TYPE_CHECKING:
    from loopgauge.conformance.model import Lane, Verdict
    from loopgauge.conformance.session import Request
    from loopgauge.conformance.store import Results

DEFAULT_LOOPS = ("epoll",)
T = TypeVar("T")

EPILOG = f"""\b
Examples:
  bench conformance
  bench conformance TIME --loop uvloop
  bench conformance 'SOCK-02*' --loop my_pkg:new_event_loop --repeat 5
  bench conformance --last-failed
  bench conformance --resume latest
  bench conformance --loop all --lane all --on dask://10.0.0.1:8786
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
With --on, hosts with the same Python, loops and questions make one result
together; --json then prints one object: kind ("conformance-fleet"), exit_code,
left_out (hosts) and results (of each, what is described above).

{ON_HELP}
\b
Exit codes:
  0    every verdict is expected
  2    usage: an option or a name is wrong
  4    no loop could be asked, or the run cannot go on here
  5    conformance: an unexpected verdict, or a known fault that is gone
  6    finished, but a lane, a loop or a host was left out
  8    environment: disk, result store, no scheduler
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
@on_options
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
    **elsewhere: Any,
) -> None:
    """Say which promises of asyncio a loop keeps, with the evidence."""
    from loopgauge.conformance import session, store
    from loopgauge.harness.cli import questions, resuming
    from loopgauge.loops.registry import known_loops

    place = place_from(**elsewhere)
    if place is not None:
        refuse_with_on(jobs=given("jobs", jobs), **{"in-process": in_process or None})
    earlier: Results | None = None
    only: frozenset[str] | None = None
    if resume is not None:
        taken = {"last-failed": last_failed or None, "in-process": in_process or None}
        refuse_beside_resume(what=what, loop=loops, lane=lanes, repeat=given("repeat", repeat),
                             out=out, **taken)  # fmt: skip
        earlier = resuming.interrupted(resume)
        asked = earlier.header.lanes
        names = [one.loop for one in earlier.header.subjects if one.loop != session.STOCK]
        loops = tuple(names)
    else:
        names, asked = [*loops] or [*DEFAULT_LOOPS], questions.chosen_lanes(lanes)
        if last_failed:
            names, only, asked = questions.last_failed(what, loops, lanes)
    if expected is not None and (len(set(loops)) != 1 or "all" in loops):
        raise click.UsageError("--expectations belongs to one loop; name just one --loop.")
    if update_expectations and expected is None and not known_loops().keys() >= {*names} - {"all"}:
        raise click.UsageError("--update-expectations needs --expectations FILE for such a loop.")
    if badge is not None and (len(names) != 1 or "all" in names or badge.suffix != ".svg"):
        raise click.UsageError("--badge belongs to one loop, and to a file that ends in .svg.")
    own = {loops[0]: expected} if expected else {}
    told: dict[str, Any] = {"as_json": as_json, "junit": junit, "badge": badge, "report": report}
    variables_set = questions.key_values(variables)
    if place is None:
        done = [
            _ask_here(
                what, names, asked, only, repeat, earlier, own, variables_set, out,
                jobs=jobs, in_process=in_process, begin=update_expectations, told=told,
            )
        ]  # fmt: skip
        code = done[0].code
    else:
        from loopgauge.harness.cli import conformance_on, survey

        wanted = survey.Wanted(lanes=[*asked], loops=names)
        if earlier is not None:
            subjects = [subject.loop for subject in earlier.header.subjects]
            wanted = survey.Wanted(lanes=[*asked], loops=subjects, stock=False)
        found = conformance_on.run(
            place, wanted, what=what, only=only, repeat=repeat, earlier=earlier, own=own,
            begin=update_expectations, variables=variables_set,
            single={"--out": out, "--junit": junit, "--badge": badge},
        )  # fmt: skip
        code = conformance_on.exit_code(found)
        conformance_on.show(place, found, code, **told)
        done = [_Done(part.request, part.path, code) for part in found.parts]
    if update_expectations:
        # Stock's own file is changed by those who ask stock, not by all who are compared with it.
        stock_too = not {session.STOCK, "all"}.isdisjoint(names)
        for one in done:
            seen = store.read(one.path).verdicts
            update(one.request, [v for v in seen if v.loop != session.STOCK or stock_too])
        return
    raise click.exceptions.Exit(code)


@dataclass
class _Done:
    """What was asked, the file of the verdicts, and what follows for the exit code."""

    request: Request
    path: Path
    code: ExitCode


def _ask_here(
    what: Sequence[str],
    names: Sequence[str],
    asked: Sequence[Lane],
    only: frozenset[str] | None,
    repeat: int,
    earlier: Results | None,
    own: Mapping[str, Path],
    variables: Mapping[str, str],
    out: Path | None,
    *,
    jobs: int,
    in_process: bool,
    begin: bool,
    told: Mapping[str, Any],
) -> _Done:
    """A whole run on this machine, or the rest of `earlier`, with what is shown of it."""
    from loopgauge.conformance import session, store
    from loopgauge.conformance.asking import Here
    from loopgauge.conformance.runner.pool import InProcess, Pool
    from loopgauge.harness.cli import questions, resuming
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.verdicts_shown import Shown, present, say_what_is_kept

    here = str(import_from_here())
    if earlier is not None:
        request = resuming.request(earlier)
    else:
        request = questions.make_request(what, names, asked, with_stock=not in_process)
        questions.refuse_nobody(request)
        request.only = only
        if only is not None:
            request.header.selection = sorted(only)
        request.header.repeat = repeat
    questions.expect(request, own, begin=begin)
    runner = InProcess(variables, [here]) if in_process else Pool(jobs, variables, [here])
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
    present(path, left_out=shown.left_out, code=code, **told)
    return _Done(request, path, code)


def refuse_with_on(**options: object) -> None:
    """What is about this machine's processes says nothing about those of a cluster."""
    for name, value in options.items():
        if value is not None:
            raise click.UsageError(f"--{name} is about this machine; leave it out with --on.")


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
