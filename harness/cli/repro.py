"""`bench repro`: one conformance case as a script that needs nothing of this project."""

from __future__ import annotations

import click

from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

EPILOG = """\b
Examples:
  bench repro SOON-001.three --loop uvloop > repro.py && python repro.py
  bench repro TRAN-001.kinds-tls --loop my_pkg:new_event_loop | python -

\b
The script prints what was wanted and observed, and ends with a traceback
where the loop does something else. It needs the loop, and nothing else.
"""


@click.command("repro", epilog=EPILOG)
@click.argument("case_id", metavar="CASE")
@click.option(
    "--loop",
    "loop",
    default="asyncio",
    show_default=True,
    metavar="NAME|MODULE:FACTORY",
    help="The loop that the script makes.",
)
def repro(case_id: str, loop: str) -> None:
    """Print a stand-alone script of one case."""
    from loopgauge.conformance.case import all_cases
    from loopgauge.conformance.lanes.ecosystem.lane import programs
    from loopgauge.conformance.repro import script
    from loopgauge.conformance.runner.messages import Target
    from loopgauge.loops.registry import resolve

    cases = {**all_cases(), **{program.id: program for program in programs()}}
    case = cases.get(case_id)
    if case is None:
        _refuse_other_lanes(case_id, loop)
        raise Problem(
            ExitCode.USAGE,
            f"no case is called {case_id!r}",
            did_you_mean(case_id, cases) or "`bench list rules` shows all",
        )
    spec = resolve(loop)
    click.echo(
        script(case, Target(name=spec.name, factory=spec.factory, arguments=spec.arguments)),
        nl=False,
    )


def _refuse_other_lanes(case_id: str, loop: str) -> None:
    """What these lanes ask is no function that could be cut out; each has a command instead."""
    lane, _, name = case_id.partition(":")
    if lane == "cpython":
        cure = f"python -m loopgauge.conformance.lanes.cpython.table --loop {loop} --only {name}"
        raise Problem(ExitCode.USAGE, "a test of CPython is no case of this suite", cure)
    if lane == "differential":
        raise Problem(
            ExitCode.USAGE,
            "a family of generated programs is no case",
            'the program that made the difference is in the evidence: see its note "repro"',
        )
