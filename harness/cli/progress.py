"""The progress of a run, on stderr: a bar for a terminal, a line per worker process elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from loopgauge.harness.cli.console import live_display_wanted, stderr_console
from loopgauge.harness.cli.wording import remaining_time

if TYPE_CHECKING:
    from rich.console import Console

    from loopgauge.harness.request import Progress

PHASE_WORDS = {"probe": "trying each loop", "measure": "measuring", "count": "counting"}


class Display(AbstractContextManager["Display"], Protocol):
    def __call__(self, progress: Progress) -> None: ...


def progress_display() -> Display:
    console = stderr_console()
    return Bar(console) if live_display_wanted() else Lines(console)


class Bar:
    """Redrawn when something happened, by no thread of its own: a refresh thread would wake up
    beside the measurement on the same cores."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            auto_refresh=False,
            expand=True,
        )
        self.task: TaskID = self.rich.add_task("starting", total=1.0, left="")

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

    def __call__(self, progress: Progress) -> None:
        if progress.notice:
            self.console.print(progress.notice)
        self.rich.update(
            self.task,
            completed=progress.fraction,
            description=activity(progress),
            left=f"{remaining_time(progress.remaining_s)} left",
            refresh=True,
        )


class Lines:
    """One line for each worker process and for every notice; no control characters."""

    def __init__(self, console: Console, before: str = "") -> None:
        """`before` begins every line."""
        self.console = console
        self.before = before
        self.last: tuple[str, int, str, str] = ("", 0, "", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def __call__(self, progress: Progress) -> None:
        if progress.notice:
            self.write(progress.notice)
            return
        # A timed process holds many loops and is told by its number; every other holds one.
        subject = ("", "") if progress.phase == "measure" else (progress.benchmark, progress.arm)
        step = (progress.phase, progress.process, *subject)
        if step != self.last:
            self.last = step
            self.write(
                f"{progress.fraction:4.0%}  {activity(progress)}, "
                f"{remaining_time(progress.remaining_s)} left"
            )

    def write(self, line: str) -> None:
        self.console.print(self.before + line, soft_wrap=True)


def activity(progress: Progress) -> str:
    words = PHASE_WORDS.get(progress.phase, progress.phase)
    count = f" {progress.process}/{progress.processes}" if progress.processes else ""
    subject = " ".join(part for part in (progress.benchmark, progress.arm) if part)
    return f"{words}{count}" + (f": {subject}" if subject else "")
