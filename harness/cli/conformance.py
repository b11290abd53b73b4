"""`bench conformance`: which promises of asyncio a loop keeps, with the evidence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.model import Header, Lane
    from loopgauge.conformance.session import Request

DEFAULT_LOOPS = ("epoll",)

EPILOG = """\b
Examples:
  bench conformance
  bench conformance TIME --loop uvloop
  bench conformance 'SOCK-02*' --loop my_pkg:new_event_loop --repeat 5
  bench conformance --last-failed

\b
Stock asyncio is always asked first: where it fails in a way that is not known,
the case is wrong, and the verdict HARNESS. Each case has a process of its own.
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
  4    no loop could be asked
  5    conformance: an unexpected verdict, or a known fault that is gone
  6    finished, but a lane or a loop was left out
  8    environment: disk, result store
  130  interrupted (Ctrl-C); 143 terminated
"""


@click.command("conformance", epilog=EPILOG)
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
@click.option("--out", type=click.Path(path_type=Path), help="Write the result here.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON (see below).")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write JUnit XML; known faults are skipped there, with their reason.",
)
def conformance(
    what: tuple[str, ...],
    loops: tuple[str, ...],
    lanes: tuple[str, ...],
    repeat: int,
    jobs: int,
    variables: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Say which promises of asyncio a loop keeps, with the evidence."""
    from loopgauge.conformance import session, store
    from loopgauge.conformance.runner.pool import Pool
    from loopgauge.harness.cli.verdicts_shown import Shown, present, say_what_is_kept

    here = str(Path.cwd())
    sys.path.insert(0, here)  # a console script has its own folder there, not the user's
    request = make_request(what, loops, chosen_lanes(lanes), repeat)
    if not any(s.available and s.loop != session.STOCK for s in request.header.subjects) and (
        session.STOCK not in loops
    ):
        reasons = "; ".join(f"{s.loop}: {s.reason}" for s in request.header.subjects if s.reason)
        raise Problem(ExitCode.NOTHING_MEASURED, f"no loop can be asked here: {reasons}")
    shown = Shown()
    path = out or store.new_path()
    try:
        with (
            termination_as_interrupt(),
            Pool(jobs, key_values(variables), [here]) as pool,
            store.Writer(path) as writer,
            shown,
        ):
            session.run(request, pool, writer, shown)
    except KeyboardInterrupt:
        say_what_is_kept(path)
        raise
    code = shown.exit_code(request.header)
    present(path, as_json=as_json, junit=junit, left_out=shown.left_out, code=code)
    raise click.exceptions.Exit(code)


def chosen_lanes(names: Sequence[str]) -> list[Lane]:
    from loopgauge.conformance import lanes

    return [lane for lane in lanes.MODULES if lane in (names or ("rules",)) or "all" in names]


def key_values(variables: Sequence[str]) -> dict[str, str]:
    for text in variables:
        if "=" not in text:
            raise click.UsageError(f"--env wants KEY=VALUE, not {text!r}.")
    return dict(text.split("=", 1) for text in variables)


def make_request(
    what: Sequence[str], loops: Sequence[str], lanes: Sequence[Lane], repeat: int
) -> Request:
    """With every subject resolved. Raises UnknownLoop, Problem."""
    from loopgauge.conformance import session
    from loopgauge.conformance.model import Subject
    from loopgauge.conformance.runner.messages import Target
    from loopgauge.harness.interpreter import extensions_hash
    from loopgauge.harness.verdicts import OWN
    from loopgauge.loops.registry import availability, known_loops, resolve

    names = [*known_loops()] if "all" in loops else [*(loops or DEFAULT_LOOPS)]
    ordered = [session.STOCK, *(n for n in dict.fromkeys(names) if n != session.STOCK)]
    header = new_header(lanes, what, repeat)
    targets = []
    for spec in map(resolve, ordered):
        found = availability(spec)
        header.subjects.append(
            Subject(
                loop=spec.name,
                factory=spec.factory,
                version=found.version,
                build_hash=extensions_hash() if spec.distribution == OWN else "",
                available=found.ok,
                reason=found.reason,
            )
        )
        targets.append(Target(name=spec.name, factory=spec.factory, arguments=spec.arguments))
    request = session.Request(header=header, targets=targets, selection=[*what], repeat=repeat)
    try:
        session.chosen(what, lanes)
    except session.UnknownCases as error:
        from loopgauge.harness.cli.errors import did_you_mean

        raise Problem(
            ExitCode.USAGE,
            f"no area, rule or case is called {error.pattern!r}",
            did_you_mean(error.pattern, error.known) or "`bench list rules` shows all",
        ) from error
    return request


def new_header(lanes: Sequence[Lane], what: Sequence[str], repeat: int) -> Header:
    import platform
    from datetime import UTC, datetime
    from importlib.metadata import PackageNotFoundError, version

    from loopgauge.conformance.model import Header
    from loopgauge.conformance.session import build_kind

    try:
        suite = version("loopgauge")
    except PackageNotFoundError:
        suite = ""
    return Header(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        implementation=platform.python_implementation().lower(),
        build=build_kind(),
        machine=platform.machine(),
        kernel=platform.release(),
        suite=suite,
        lanes=[*lanes],
        selection=[*what],
        repeat=repeat,
    )
