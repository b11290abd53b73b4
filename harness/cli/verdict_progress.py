"""The progress of a conformance run, on stderr: bars for a terminal, lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from loopgauge.harness.cli.console import live_display_wanted, stderr_console

if TYPE_CHECKING:
    from rich.console import Console

    from loopgauge.conformance.model import Lane, Verdict

REDRAWN_EVERY_S = 0.1


class Display(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def begin(self, loop: str, lane: Lane, questions: int) -> None: ...

    def asked(self, verdict: Verdict | None) -> None:
        """One question was answered; with its verdict, where there is one already."""

    def say(self, line: str) -> None: ...


def verdict_display(*, counts_only: bool) -> Display:
    """`counts_only`: without a line for every unexpected verdict."""
    console = stderr_console()
    return Bars(console) if live_display_wanted() else Lines(console, counts_only)


class Bars:
    """A bar per loop and lane; those that are done stay, with what was unexpected in them. Redrawn
    by no thread of its own, which would take time from cases that look at the CPU."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unexpected]}", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
            expand=True,
        )
        self.task: TaskID | None = None
        self.unexpected = 0
        self.drawn = 0.0

    def __enter__(self) -> Self:
        self.rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.rich.stop()

    def begin(self, loop: str, lane: Lane, questions: int) -> None:
        self.unexpected = 0
        self.task = self.rich.add_task(f"{loop} {lane}", total=questions, unexpected="")
        self.rich.refresh()

    def asked(self, verdict: Verdict | None) -> None:
        assert self.task is not None
        self.unexpected += verdict is not None and verdict.status != "expected"
        words = f"{self.unexpected} unexpected" if self.unexpected else ""
        self.rich.update(self.task, advance=1, unexpected=words)
        now = time.monotonic()
        if now - self.drawn > REDRAWN_EVERY_S or self.rich.finished:
            self.drawn = now
            self.rich.refresh()

    def say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)


class Lines:
    """One line for each loop and lane and for every unexpected verdict; no control characters."""

    def __init__(self, console: Console, counts_only: bool = False) -> None:
        self.console = console
        self.counts_only = counts_only

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def begin(self, loop: str, lane: Lane, questions: int) -> None:
        self.say(f"{loop}: {lane}, {questions} {'case' if questions == 1 else 'cases'}")

    def asked(self, verdict: Verdict | None) -> None:
        if verdict is not None and verdict.status != "expected" and not self.counts_only:
            what = "a known fault is gone" if verdict.status == "fixed" else verdict.reason
            level = f" [{verdict.level}]" if verdict.level else ""
            self.say(f"  {verdict.verdict:<13} {verdict.case}{level} {' '.join(what.split())}")

    def say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)
