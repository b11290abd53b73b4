"""The progress of a conformance run, on stderr: bars for a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
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

    def asked(self, loop: str, lane: Lane, verdict: Verdict | None) -> None:
        """One question was answered; with its verdict, where there is one already."""

    def say(self, line: str) -> None: ...


def verdict_display(*, counts_only: bool, together: bool = False) -> Display:
    """`counts_only`: without a line for every unexpected verdict. `together`: several loops are
    asked at a time, each from a thread of its own; `loop` then is any name for one of them."""
    console = stderr_console()
    return Bars(console) if live_display_wanted() else Lines(console, counts_only, together)


class Bars:
    """A bar per loop and lane; those that are done stay, with what was unexpected in them. Redrawn
    by no thread of its own, which would take time from cases that look at the CPU."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tasks: dict[tuple[str, Lane], TaskID] = {}
        self.unexpected: Counter[tuple[str, Lane]] = Counter()
        self.drawn = 0.0
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
        made = self.rich.add_task(f"{loop} {lane}", total=questions, unexpected="")
        self.tasks[loop, lane] = made
        self.rich.refresh()

    def asked(self, loop: str, lane: Lane, verdict: Verdict | None) -> None:
        key = loop, lane
        self.unexpected[key] += verdict is not None and verdict.status != "expected"
        words = f"{self.unexpected[key]} unexpected" if self.unexpected[key] else ""
        self.rich.update(self.tasks[key], advance=1, unexpected=words)
        now = time.monotonic()
        if now - self.drawn > REDRAWN_EVERY_S or self.rich.finished:
            self.drawn = now
            self.rich.refresh()

    def say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)


class Lines:
    """One line for each loop and lane and for every unexpected verdict; no control characters."""

    def __init__(self, console: Console, counts_only: bool = False, together: bool = False) -> None:
        self.console = console
        self.counts_only = counts_only
        self.together = together

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

    def asked(self, loop: str, lane: Lane, verdict: Verdict | None) -> None:
        if verdict is not None and verdict.status != "expected" and not self.counts_only:
            what = "a known fault is gone" if verdict.status == "fixed" else verdict.reason
            whose = f" {loop}:" if self.together else ""
            level = f" [{verdict.level}]" if verdict.level else ""
            reason = " ".join(what.split())
            self.say(f"  {verdict.verdict:<13}{whose} {verdict.case}{level} {reason}")

    def say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)
