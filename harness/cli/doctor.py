"""`bench doctor`: the findings of harness/doctor.py, readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.table import Table

    from loopgauge.harness.doctor import Finding

EPILOG = """\b
Examples:
  bench doctor
  bench doctor --json

\b
Exit codes:
  0  figures taken here can be trusted, as far as can be told
  8  there is a problem: measuring fails or misleads

\b
--json prints {"schema": 1, "kind": "doctor", "exit_code": ..., "findings":
[...]}; a finding has check, level (ok, info, warning, problem), found,
meaning and cure. Members are added, never removed.
"""
STYLES = {"ok": "green", "info": "dim", "warning": "yellow", "problem": "bold red"}


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def doctor(as_json: bool) -> None:
    """Say what makes this machine noisy or is missing, and the cure."""
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
    click.get_current_context().exit(code)


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
