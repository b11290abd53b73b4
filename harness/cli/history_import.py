"""What `bench history import` does with its files, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.history.model import History, Outcome
    from loopgauge.harness.history.parallel import Reading


@dataclass
class Imported:
    """Counts of runs, and a line for each file that is not in the store now."""

    counts: dict[Outcome, int] = field(
        default_factory=lambda: {"added": 0, "known": 0, "grown": 0, "differs": 0}
    )
    unreadable: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        if self.unreadable:
            return ExitCode.UNREADABLE
        if self.refused:
            return ExitCode.LEFT_OUT
        return ExitCode.OK if any(self.counts.values()) else ExitCode.NOTHING_MEASURED

    def as_dict(self) -> dict[str, Any]:
        problems = [*self.unreadable, *self.refused]
        return {"exit_code": self.exit_code, "runs": self.counts, "problems": problems}


def import_into(history: History, paths: Iterable[Path], commit: str, jobs: int = 1) -> Imported:
    """Each file or gate in a transaction of its own: an interruption, a lock or a full disk leaves
    those before it in the store, and nothing of the one in hand. `jobs` processes read them."""
    from rich.progress import Progress

    from loopgauge.harness.cli.console import live_display_wanted, stderr_console
    from loopgauge.harness.history.parallel import WORTH_IT, read_many
    from loopgauge.harness.history.reading import known, sources

    done = Imported()
    found = [*sources(paths)]
    # Not rich's `track`: a generator of it that an interruption leaves behind waits for its thread
    # when the interpreter ends, and that thread runs no more.
    shown = Progress(console=stderr_console(), transient=True, disable=not live_display_wanted())
    task = shown.add_task("importing", total=len(found))

    def new() -> Iterator[Path]:
        for source in found:
            if known(source, history):
                done.counts["known"] += 1
                shown.advance(task)
            else:
                yield source

    with shown:
        for reading in read_many(new(), commit, min(jobs, len(found) // WORTH_IT)):
            if reading.problem:
                done.unreadable.append(reading.problem)
            else:
                store_one(history, reading, done)
            shown.advance(task)
    return done


def store_one(history: History, reading: Reading, done: Imported) -> None:
    from loopgauge.harness.errors import NotARunFile
    from loopgauge.harness.history.reading import continued

    source = reading.source
    runs = [continued(run, source, history) for run in reading.runs]
    try:
        outcomes = history.add(runs)
    except NotARunFile as error:
        done.unreadable.append(f"{source}: {error.cause}.")
        return
    for run, outcome in zip(runs, outcomes, strict=True):
        done.counts[outcome] += 1
        if outcome == "differs":
            done.refused.append(
                f"{source}: another file of the run {run.run} is stored, and this one does not"
                " continue it. The stored one was kept."
            )


def print_imported(done: Imported, store: str) -> None:
    words = [
        f"{count} {word}"
        for word, count in (
            ("new", done.counts["added"]),
            ("grown since", done.counts["grown"]),
            ("there already", done.counts["known"]),
            ("refused", done.counts["differs"]),
            ("unreadable", len(done.unreadable)),
        )
        if count
    ]
    click.echo(f"{store}: {', '.join(words) or 'no run files were found'}")
    for line in [*done.unreadable, *done.refused]:
        click.echo(f"error: {line}", err=True)
