"""What one sees of a gate: its progress, how to go on after an interruption, its result."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from loopgauge.harness.cli.errors import termination_as_interrupt

if TYPE_CHECKING:
    from loopgauge.harness.gate.model import GateResult, Step
    from loopgauge.harness.gate.store import GateFile
    from loopgauge.harness.request import Progress

STEPS: dict[Step | Literal["calibration"], str] = {
    "calibration": "calibration: base against itself",
    "promises": "conformance",
    "counts": "instructions, system calls, allocations",
    "timing": "timing, first stage",
    "confirmation": "timing, second stage: what was flagged, in fresh processes",
    "tests timing": "timing of the project's tests, first stage",
    "tests confirmation": "timing of the project's tests, second stage",
    "explanation": "explaining what changed, on both sides",
}


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """An interruption says what is kept, and how to go on."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.gate.store import FILE

    try:
        with termination_as_interrupt():
            yield
    except KeyboardInterrupt:
        if (folder / FILE).is_file():
            click.echo(f"interrupted: what was finished is kept in {shown(folder)}", err=True)
            click.echo(f"go on with: bench gate --resume {shlex.quote(shown(folder))}", err=True)
        raise


@contextmanager
def display_of(step: Step | Literal["calibration"]) -> Iterator[Callable[[Progress], None]]:
    from loopgauge.harness.cli.progress import progress_display

    say(STEPS[step])
    with progress_display() as display:
        yield display


def say(line: str) -> None:
    click.echo(line, err=True)


def present(
    gate: GateFile,
    result: GateResult,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
    junit: Path | None,
    annotations: bool,
) -> None:
    from loopgauge.harness.cli import gate_report
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.gate_table import print_gate
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.gate.gathering import gather
    from loopgauge.reports.gate import markdown as comment
    from loopgauge.reports.gate import workflow_commands, write_junit

    if as_json:
        print_json(
            {
                "schema": 1,
                "kind": "gate",
                "exit_code": result.exit_code,
                "folder": str(gate.folder),
                "header": gate.header,
                "result": result,
            }
        )
    else:
        print_gate(gate, result, stdout_console())
    if annotations:
        for line in workflow_commands(gate):
            click.echo(line, err=as_json)
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(comment(gate, gather(gate)), encoding="utf-8")
        click.echo(f"markdown: {shown(markdown)}", err=True)
    if html is not None:
        gate_report.write(gate, html)
    if junit is not None:
        click.echo(f"junit: {shown(write_junit(gate, junit))}", err=True)
    click.echo(f"gate: {shown(gate.folder)}", err=True)
