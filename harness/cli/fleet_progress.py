"""The progress of a run on a fleet, on stderr: a bar for each host on a terminal, else a line for
each thing that happens."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from loopgauge.harness.cli.console import live_display_wanted, stderr_console
from loopgauge.harness.cli.progress import Lines, activity
from loopgauge.harness.cli.wording import counted, remaining_time

if TYPE_CHECKING:
    from rich.console import Console

    from loopgauge.harness.request import Progress

MOST_BARS = 20  # of more hosts, one bar for them all


class FleetDisplay(AbstractContextManager["FleetDisplay"], Protocol):
    def __call__(self, host: str, what: Progress | str) -> None:
        """A host is at work, or has come to its end, in words. From any thread."""


def fleet_display(hosts: int) -> FleetDisplay:
    console = stderr_console()
    return Bars(console, hosts) if live_display_wanted() else FleetLines(console)


class Bars:
    def __init__(self, console: Console, hosts: int) -> None:
        self.console = console
        self.hosts = hosts
        self.lock = threading.Lock()
        self.shares: dict[str, float] = {}
        self.tasks: dict[str, TaskID] = {}
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

    def __call__(self, host: str, what: Progress | str) -> None:
        with self.lock:
            if isinstance(what, str):
                self._ended(host, what)
            else:
                self._at_work(host, what)
            self.rich.refresh()

    def _at_work(self, host: str, progress: Progress) -> None:
        if progress.notice:
            self.console.print(f"{host}: {progress.notice}")
        self.shares[host] = progress.fraction
        if self.hosts > MOST_BARS:
            self._all()
            return
        left = f"{remaining_time(progress.remaining_s)} left"
        self._show(host, progress.fraction, f"{host}: {activity(progress)}", left)

    def _ended(self, host: str, words: str) -> None:
        self.console.print(f"{host}: {words}")
        self.shares[host] = 1.0
        if self.hosts > MOST_BARS:
            self._all()
        elif host in self.tasks:
            self.rich.remove_task(self.tasks.pop(host))

    def _all(self) -> None:
        share = sum(self.shares.values()) / self.hosts
        ended = sum(share == 1.0 for share in self.shares.values())
        self._show("", share, f"{ended} of {counted(self.hosts, 'host')} done", "")

    def _show(self, name: str, share: float, description: str, left: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.rich.add_task("", total=1.0, left="")
        self.rich.update(self.tasks[name], completed=share, description=description, left=left)


class FleetLines:
    """As a run on one machine writes them, each with its host in front."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = threading.Lock()
        self.lines: dict[str, Lines] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def __call__(self, host: str, what: Progress | str) -> None:
        with self.lock:
            lines = self.lines.setdefault(host, Lines(self.console, f"{host}: "))
            if isinstance(what, str):
                lines.write(what)
            else:
                lines(what)
