"""What the user sees of a conformance run: its progress, and what is left to say at the end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.runs import shown
from loopgauge.harness.cli.verdict_progress import Display, verdict_display

if TYPE_CHECKING:
    from loopgauge.conformance.model import Header, Lane, Verdict
    from loopgauge.conformance.store import Results
    from loopgauge.conformance.summary import Summary


class Shown:
    """A listener of a conformance session; live within its `with` block. `earlier`: what a run
    that goes on has found already. `display`: one that several sessions share, and that somebody
    else opens; `whose` then tells apart what they ask."""

    def __init__(
        self,
        earlier: Results | None = None,
        *,
        counts_only: bool = False,
        display: Display | None = None,
        whose: str = "",
    ) -> None:
        self.verdicts: list[Verdict] = [*earlier.verdicts] if earlier else []
        self.left_out: list[str] = []
        self.display = display or verdict_display(counts_only=counts_only)
        self._own = display is None
        self._whose = f" on {whose}" if whose else ""

    def __enter__(self) -> Self:
        if self._own:
            self.display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._own:
            self.display.__exit__(kind, error, trace)

    def begin(self, loop: str, lane: Lane, questions: int) -> None:
        self.display.begin(loop + self._whose, lane, questions)

    def tried(self, loop: str, lane: Lane) -> None:
        self.display.asked(loop + self._whose, lane, None)

    def verdict(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.display.asked(verdict.loop + self._whose, verdict.lane, verdict)

    def missing(self, lane: Lane, reason: str) -> None:
        self.left_out.append(f"{lane}: {reason}")
        self.display.say(f"{lane}{self._whose} left out: {reason}")

    def exit_code(self, header: Header) -> ExitCode:
        if any(verdict.status != "expected" for verdict in self.verdicts):
            return ExitCode.CONFORMANCE
        unavailable = [subject for subject in header.subjects if not subject.available]
        return ExitCode.LEFT_OUT if unavailable or self.left_out else ExitCode.OK


def present(
    path: Path,
    *,
    as_json: bool = False,
    quiet: bool = False,
    junit: Path | None = None,
    badge: Path | None = None,
    report: str | None = None,
    left_out: Sequence[str] = (),
    code: ExitCode | None = None,
) -> None:
    """The tables or the JSON (or neither, if `quiet`), the files that were asked for, and where
    things are. Reads nothing but the result file."""
    results, summary = told(path, left_out, code)
    if as_json:
        from loopgauge.harness.cli.output import print_json

        print_json(summary)
    elif not quiet:
        from loopgauge.harness.cli.console import stdout_console
        from loopgauge.harness.cli.verdict_table import print_summary

        print_summary(summary, stdout_console())
    if junit is not None:
        from loopgauge.reports.conformance.junit import write_junit

        click.echo(f"junit: {shown(write_junit(results, junit))}", err=True)
    if badge is not None:
        from loopgauge.reports.conformance.badge import write_badge

        made = write_badge(summary.loops[-1], summary.python, badge)
        click.echo(f"badge: {' and '.join(map(shown, made))}", err=True)
    click.echo(f"result: {shown(path)}", err=True)
    if report is None:
        click.echo(f"report: bench report {shlex.quote(shown(path))}", err=True)
    else:
        from loopgauge.harness.cli.matrix import make_site

        folder = Path(report) if report else path.with_suffix("")
        click.echo(f"report: {shown(make_site([results], folder))}", err=True)
    scripted = [
        (one.case, loop.loop)
        for loop in summary.loops
        for one in [*loop.unexpected, *loop.fixed]
        if one.lane == "rules"
    ]
    if scripted:
        case, loop = map(shlex.quote, scripted[0])
        click.echo(f"the first of them alone: bench repro {case} --loop {loop}", err=True)


def told(
    path: Path, left_out: Sequence[str], code: ExitCode | None = None
) -> tuple[Results, Summary]:
    """A result file, and what is said of it."""
    from loopgauge.conformance import store
    from loopgauge.conformance.summary import summarise

    results = store.read(path)
    summary = summarise(results)
    summary.left_out = [*left_out]
    summary.exit_code = code
    return results, summary


def say_what_is_kept(path: Path, *, resumable: bool = True, on: str = "") -> None:
    """After an interruption."""
    click.echo(f"interrupted: the verdicts until then are kept in {shown(path)}", err=True)
    if resumable:
        click.echo(how_to_go_on(path, on), err=True)


def how_to_go_on(path: Path, on: str = "") -> str:
    where = f" --on {shlex.quote(on)}" if on else ""
    return f"go on with: bench conformance --resume {shlex.quote(shown(path))}{where}"
