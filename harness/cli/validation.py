"""What `bench validate` found, and how it is told: table, JSON, pages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.runs import shown

if TYPE_CHECKING:
    from rich.table import Table

    from loopgauge.conformance.model import Verdict
    from loopgauge.conformance.next_steps import Step
    from loopgauge.conformance.store import Results
    from loopgauge.conformance.summary import LoopSummary, Summary
    from loopgauge.harness.summary import RunSummary

LISTED = 12  # steps in the terminal; the report has all


@dataclass
class Validation:
    """`runs`: the run file of the measurement, on a cluster that of each host; without one,
    `not_measured` says why."""

    loop: str
    results: Results
    left_out: list[str]
    runs: list[Path]
    not_measured: str

    @property
    def verdicts(self) -> list[Verdict]:
        return self.results.of(self.loop)

    @cached_property
    def steps(self) -> list[Step]:
        from loopgauge.conformance.next_steps import next_steps

        return next_steps(self.verdicts)

    @cached_property
    def summary(self) -> Summary:
        from loopgauge.conformance.summary import summarise

        made = summarise(self.results)
        made.left_out = self.left_out
        return made

    @property
    def standing(self) -> LoopSummary:
        return next(one for one in self.summary.loops if one.loop == self.loop)

    @cached_property
    def measurements(self) -> list[RunSummary]:
        from loopgauge.harness.store import read_run
        from loopgauge.harness.summary import summarise
        from loopgauge.harness.verdicts import read_verdicts

        if not self.runs:
            return []
        verdicts = read_verdicts()
        return [summarise(read_run(run), verdicts=verdicts) for run in self.runs]


def show(found: Validation, *, speed: bool = True) -> None:
    """Profiles, what to do next, the table of the measurement if its `speed` is not shown
    elsewhere, and what is not there."""
    import msgspec

    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.table import print_run
    from loopgauge.harness.cli.verdict_table import loop_block

    console = stdout_console()
    # The steps say what failed in an order that helps; a list of all would bury them.
    brief = msgspec.structs.replace(found.standing, unexpected=[])
    console.print(loop_block(brief, found.summary, console.width))
    if found.steps:
        console.print(f"\nWhat to do next, by how many MUST cases wait for it{of(found.steps)}:")
        console.print(step_table(found.steps[:LISTED]))
    for measurement in found.measurements if speed else ():
        console.print()
        print_run(measurement, console)
    if found.steps:
        first = f"{found.steps[0].first} --loop {shlex.quote(found.loop)}"
        click.echo(f"begin with: bench repro {first}", err=True)
    for line in found.left_out:
        click.echo(f"left out: {line}", err=True)
    if not found.runs:
        click.echo(f"not measured: {found.not_measured}", err=True)
    for run in found.runs if speed else ():
        click.echo(f"run: {shown(run)}", err=True)
    click.echo(f"result: {shown(found.results.path)}", err=True)


def of(steps: Sequence[Step]) -> str:
    return f" ({LISTED} of {len(steps)})" if len(steps) > LISTED else ""


def step_table(steps: Sequence[Step]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("MUST", justify="right")
    table.add_column("SHOULD", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for step in steps:
        what = f"{step.name}: {step.what}" if step.kind == "repair" else step.what
        table.add_row(str(step.must), str(step.should), step.kind, what)
    return table


def write_report(found: Validation, folder: Path) -> Path:
    """The front page in `folder`, every case beside it, and the page of the measurement."""
    from loopgauge.harness.cli.matrix import make_site
    from loopgauge.reports import render
    from loopgauge.reports.conformance.site import page_links
    from loopgauge.reports.validation import CONFORMANCE, MEASUREMENT, render_validation

    runs = found.measurements
    pages = {run.path: f"../{MEASUREMENT}" for run in runs}
    make_site([found.results], folder / CONFORMANCE, runs=runs, pages=pages)
    if runs:
        render(runs, folder / MEASUREMENT, page_links([found.results], f"{CONFORMANCE}/"))
    return render_validation(found.summary, found.standing, found.steps, found.not_measured, folder)


def print_as_json(found: Validation, code: ExitCode) -> None:
    from loopgauge.harness.cli.output import print_json

    run = str(found.runs[0]) if found.runs else None
    print_json({**as_json(found), "kind": "validation", "exit_code": int(code), "run": run})


def as_json(found: Validation) -> dict[str, object]:
    """What is said of a validation, wherever it was done."""
    import msgspec

    return {
        "schema": 1,
        "conformance": msgspec.to_builtins(found.summary),
        "next_steps": msgspec.to_builtins(found.steps),
        "not_measured": found.not_measured,
    }
