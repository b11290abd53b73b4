"""`bench doctor`: the findings of harness/doctor.py, readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.on import HELP, on_options, place_from

if TYPE_CHECKING:
    from rich.table import Table

    from loopgauge.harness.doctor import Finding

EPILOG = (
    """\b
Examples:
  bench doctor
  bench doctor --json
  bench doctor --on dask://scheduler:8786

\b
Exit codes:
  0  figures taken here (on every host) can be trusted, as far as can be told
  6  some hosts are not fit, and are named
  8  there is a problem: measuring fails or misleads (on every host)

\b
--json prints {"schema": 1, "kind": "doctor", "exit_code": ..., "findings":
[...]}; a finding has check, level (ok, info, warning, problem), found,
meaning and cure. With --on there is "hosts" in place of "findings": each has
name, key, workers, cpu_model, kernel, python, fit, reason, cure and findings;
and "left_out": name, reason and cure of what cannot be asked. Members are
added, never removed.

"""
    + HELP
)
STYLES = {"ok": "green", "info": "dim", "warning": "yellow", "problem": "bold red"}


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
@on_options
def doctor(as_json: bool, **elsewhere: Any) -> None:
    """Say what makes this machine noisy or is missing, and the cure; with --on, of each host
    whether it is fit to measure, and why not."""
    place = place_from(**elsewhere)
    if place is None:
        code = doctor_here(as_json)
    else:
        from loopgauge.harness.cli.doctor_fleet import doctor_fleet

        code = doctor_fleet(place, as_json)
    click.get_current_context().exit(code)


def doctor_here(as_json: bool) -> ExitCode:
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.doctor import diagnose

    findings = diagnose()
    sick = any(finding.level == "problem" for finding in findings)
    code = ExitCode.ENVIRONMENT if sick else ExitCode.OK
    if as_json:
        document = {"schema": 1, "kind": "doctor", "exit_code": int(code), "findings": findings}
        print_json(document)
    else:
        console = stdout_console()
        console.print(finding_table(findings))
        console.print(verdict(findings), style="bold")
    return code


def finding_table(findings: Sequence[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column("level", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("words", overflow="fold")
    for finding in findings:
        words = Text(finding.found)
        if finding.meaning:
            words.append(f"\n{finding.meaning}", style="dim")
        if finding.cure:
            words.append("\ncure: ", style="bold")
            words.append(finding.cure)
        table.add_row(Text(finding.level, style=STYLES[finding.level]), finding.check, words)
    return table


def verdict(findings: Sequence[Finding]) -> str:
    from loopgauge.harness.cli.wording import counted

    levels = Counter(finding.level for finding in findings)
    told = [counted(levels[name], name) for name in ("problem", "warning") if levels[name]]
    return f"{' and '.join(told)}." if told else "Nothing stands in the way of good figures."
