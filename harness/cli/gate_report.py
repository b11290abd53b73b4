"""`bench report` of a gate's folder, and `bench gate --html`: the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.site_sources import ENDINGS

if TYPE_CHECKING:
    from loopgauge.harness.gate.store import GateFile

PAGE = "gate.html"


def report(paths: Sequence[Path], out: Path | None, *, open_it: bool) -> ExitCode:
    """Writes a page per gate: into its folder, or as `out`, which is a folder for several. Says
    what could not be read. Raises RunFileError where a gate itself cannot be."""
    from loopgauge.harness.gate.store import read_gate

    gates = [read_gate(path if path.is_dir() else path.parent) for path in paths]
    for gate in gates:
        require_other_place(gate.folder, {"--out": out})
    code = ExitCode.OK
    for number, gate in enumerate(gates, 1):
        page, missing = write(gate, target(gate, out, number, len(gates)))
        for line in missing:
            click.echo(f"error: {line}.", err=True)
            code = ExitCode.UNREADABLE
        if open_it:
            click.launch(str(page.absolute()))
    return code


def require_other_place(folder: Path, outputs: Mapping[str, Path | None]) -> None:
    """Raises UsageError where one of `outputs`, by their options, would take the place of a result
    file of the gate in `folder`."""
    for option, out in outputs.items():
        if out is None or not out.name.endswith(ENDINGS):
            continue
        if out.resolve().parent == folder.resolve():
            raise click.UsageError(
                f"{option} {out} is a result file of the gate itself, which is never overwritten."
            )


def target(gate: GateFile, out: Path | None, number: int, many: int) -> Path:
    """Gates of several machines may have one name."""
    if out is None:
        return gate.folder / PAGE
    if many > 1:
        return out / f"{number}-{gate.header.gate}.html"
    return out / PAGE if out.is_dir() else out


def write(gate: GateFile, out: Path) -> tuple[Path, list[str]]:
    """The page, and which files of the gate were not whole."""
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.gate.decision import decide
    from loopgauge.harness.gate.gathering import gather
    from loopgauge.reports.gate import render_gate

    if gate.result is None:
        gate.result = decide(gate)
    evidence = gather(gate)
    page = render_gate(gate, evidence, out)
    click.echo(f"html: {shown(page)}", err=True)
    return page, evidence.missing
