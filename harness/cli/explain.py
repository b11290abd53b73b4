"""`bench explain`: where the time of one operation goes, loop by loop."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli import exit_codes
from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.run import RunCommand, key_values

if TYPE_CHECKING:
    from loopgauge.harness.explained import Explanation

DEFAULT_LOOPS = ("epoll", "asyncio", "uvloop")

EPILOG = f"""\b
Examples:
  bench explain sleep0
  bench explain call_soon_chain --loop epoll --loop uvloop --param callback=native
  bench explain tcp_echo --python 3.14 --report
  bench explain my_app:main --json

\b
What is shown for each loop: wall and CPU time of one operation, the CPU time
divided into kernel, loop, binding and Python, system calls by name,
allocations, context switches, and the functions that cost most. How it is
divided is said under the tables. Instructions need valgrind and system calls
strace; what is missing is said, and the rest is shown. Where the scenario
has them, the tiers beneath are shown, too: the loop in C++ under a loop
(native:epoll, native:libuv), and the bare system calls (floor).

{exit_codes.HELP}
\b
--json prints one object: schema, kind ("explanation"), exit_code, benchmark
(id, summary, unit), method, left_out, loops. A loop has arm, status, missing,
wall_ns, cpu_ns, parts_ns, parts_instructions, metrics, functions,
python_functions. Members are added, never removed.
"""


@click.command(cls=RunCommand, epilog=EPILOG)
@click.argument("what", metavar="SCENARIO | MODULE:COROUTINE")
@click.option(
    "--loop",
    "loops",
    multiple=True,
    metavar="NAME|MODULE:FACTORY|all",
    help=f"Explain this loop (repeat). Default: {', '.join(DEFAULT_LOOPS)}.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter of the scenario (repeat).",
)
@click.option("--python", metavar="PATH|VERSION", help="On this Python, not the running one.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@click.option("--report", metavar="[=FILE]", help="Also make an HTML page, with the plots.")
def explain(
    what: str,
    loops: tuple[str, ...],
    params: tuple[str, ...],
    python: str | None,
    as_json: bool,
    report: str | None,
) -> None:
    """Show where the time of one operation goes.

    Each loop does the same work in processes of their own: timed, and counted by callgrind, by
    strace, and by bytecode. About ten seconds a loop. Nothing is kept.
    """
    from loopgauge.harness.cli.anatomy import print_explanation
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json

    benchmark = chosen(what, params)
    found = measured(benchmark, chosen_names(loops), python, sys.argv[1:])
    code = exit_code(found, loops)
    if as_json:
        print_json(as_document(found, code))
    else:
        print_explanation(found, stdout_console())
    for line in found.left_out:
        click.echo(f"left out: {line}", err=True)
    if report is not None:
        write_report(found, report)
    click.get_current_context().exit(code)


def chosen(what: str, params: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Exactly one benchmark. Of a scenario with several usual sets of parameters the first."""
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.selection import chosen_benchmarks

    given = key_values(params)
    for name, values in given.items():
        if len(values) > 1:
            raise click.UsageError(f"--param {name}: one operation has one value, not several.")
    import_from_here()
    variants = [*chosen_benchmarks([what], "quick", given)]
    scenarios = list(dict.fromkeys(scenario for scenario, _ in variants))
    if len(scenarios) > 1:
        raise Problem(
            ExitCode.USAGE,
            f"{what!r} names {len(scenarios)} scenarios, and one is explained at a time",
            f"Choose one: {', '.join(scenarios[:3])}, ...",
        )
    scenario, values_ = variants[0]
    return scenario, dict(values_)


def chosen_names(loops: Sequence[str]) -> list[str]:
    from loopgauge.harness.cli.selection import chosen_loops

    return chosen_loops(loops or DEFAULT_LOOPS)


def measured(
    benchmark: tuple[str, dict[str, Any]],
    loops: Sequence[str],
    python: str | None,
    command: Sequence[str],
) -> Explanation:
    from loopgauge.harness import explanation
    from loopgauge.harness.cli.progress import progress_display
    from loopgauge.harness.request import RunRequest

    request = RunRequest(
        benchmarks=[benchmark],
        arms=loops,
        tiers=("python", "native"),
        pythons=[python] if python else [],
        path=[str(Path.cwd())],
        command=["bench", *command],
    )
    with termination_as_interrupt(), progress_display() as display:
        return explanation.explain(request, display)


def exit_code(found: Explanation, named: Sequence[str]) -> ExitCode:
    """A loop of our own choice that is not installed is no loss."""
    if not any(loop.status == "ok" for loop in found.loops):
        return ExitCode.NOTHING_MEASURED
    absent = [
        loop
        for loop in found.loops
        if loop.status not in ("ok", "unsupported") and (named or loop.status != "unavailable")
    ]
    return ExitCode.LEFT_OUT if absent or found.left_out else ExitCode.OK


def as_document(found: Explanation, code: ExitCode) -> dict[str, Any]:
    import msgspec

    envelope = {"schema": 1, "kind": "explanation", "exit_code": int(code)}
    return {**envelope, **msgspec.to_builtins(found)}


def write_report(found: Explanation, report: str) -> None:
    from loopgauge.harness.cli.runs import shown
    from loopgauge.reports.explain import render_explanation

    out = Path(report) if report else Path(".bench") / "explained.html"
    click.echo(f"report: {shown(render_explanation(found, out))}", err=True)
