"""`bench report` of a fleet's folder: page, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.exit_codes import first

if TYPE_CHECKING:
    from loopgauge.harness.fleet.across import FleetSummary
    from loopgauge.harness.fleet.folder import FleetFile

PAGE = "fleet.html"
FORMATS = ("html", "md")
JSON_SCHEMA = 1


def report(
    path: Path,
    verdicts: Sequence[Path],
    chosen: Sequence[str],
    out: Path | None,
    *,
    as_json: bool,
    open_it: bool,
) -> ExitCode:
    """`path` is a folder of `bench run --on`; `verdicts` are conformance results that are joined
    to those that are stored. Raises RunFileError where the folder itself cannot be read."""
    from loopgauge.harness.fleet.across import summarise_fleet, summarise_hosts
    from loopgauge.harness.fleet.folder import read_register
    from loopgauge.harness.verdicts import read_verdicts

    fleet = read_register(path)
    require_other_place(fleet, out)
    runs = summarise_hosts(fleet, read_verdicts(more=verdicts))
    summary = summarise_fleet(fleet, runs)
    code = exit_code(fleet, summary)
    if as_json:
        show_json(summary, code)
    for name in () if as_json else chosen:
        write(summary, name, target(fleet, out, name, chosen), open_it=open_it)
    for key, problem in fleet.problems.items():
        click.echo(f"error: {key}: {problem}.", err=True)
    if not summary.measured:
        click.echo(f"error: no host of {path} has a figure; the report says why.", err=True)
    return code


def require_other_place(fleet: FleetFile, out: Path | None) -> None:
    from loopgauge.harness.cli.output import require_no_result

    if out is not None and out.resolve().parent == fleet.path.resolve() and ".jsonl" in out.name:
        raise click.UsageError(
            f"--out {out} is a result file of the fleet itself, which is never overwritten."
        )
    if out is not None:
        require_no_result(out)


def exit_code(fleet: FleetFile, summary: FleetSummary) -> ExitCode:
    codes = {ExitCode.UNREADABLE} if fleet.problems else set()
    if not summary.measured:
        codes.add(ExitCode.NOTHING_MEASURED)
    return first(codes)


def as_builtins(summary: FleetSummary, code: ExitCode) -> dict[str, Any]:
    import msgspec

    envelope = {"schema": JSON_SCHEMA, "kind": "fleet-summary", "exit_code": int(code)}
    return {**envelope, **msgspec.to_builtins(summary)}


def show_json(summary: FleetSummary, code: ExitCode) -> None:
    from loopgauge.harness.cli.output import print_json

    print_json(as_builtins(summary, code))


def target(fleet: FleetFile, out: Path | None, name: str, chosen: Sequence[str]) -> Path | None:
    """None for standard output."""
    if out is None:
        return fleet.path / PAGE if name == "html" else None
    several = len(chosen) > 1 or out.is_dir()
    return out / f"{fleet.path.resolve().name}.{name}" if several else out


def write(summary: FleetSummary, name: str, file: Path | None, *, open_it: bool) -> None:
    from loopgauge.harness.cli.report import write_text
    from loopgauge.reports.fleet.markdown import fleet_markdown

    if name == "md":
        write_text(name, fleet_markdown(summary), file)
        return
    from loopgauge.harness.cli.runs import shown
    from loopgauge.reports.fleet.page import render_fleet

    assert file is not None
    page = render_fleet(summary, file)
    click.echo(f"html: {shown(page)}", err=True)
    if open_it:
        click.launch(str(page.absolute()))
