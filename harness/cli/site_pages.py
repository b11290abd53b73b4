"""The reports of a site's runs: each read, judged and written by itself, several at a time."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.worker_process import end_with_parent

if TYPE_CHECKING:
    from loopgauge.harness.store import RunFile
    from loopgauge.harness.summary import RunSummary
    from loopgauge.harness.verdicts import Verdicts
    from loopgauge.reports.links import Links
    from loopgauge.reports.site.contents import SiteRun


@dataclass(frozen=True)
class Shared:
    """What every run's report needs. `links`: to the conformance pages."""

    out: Path
    title: str
    verdicts: Verdicts
    links: Links


@dataclass(frozen=True)
class Task:
    path: Path
    name: str  # of its pages


@dataclass(frozen=True)
class Made:
    """`run` is None where there was nothing to show; `problem` says what is wrong with the file."""

    run: SiteRun | None
    problem: str


def make_reports(tasks: Sequence[Task], shared: Shared, jobs: int) -> Iterator[Made]:
    """In the order of the tasks. A report costs seconds of one core, so processes of their own
    make several at once. Raises OSError where one cannot be written, and Problem."""
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        for task in tasks:
            yield make_report(task, shared)
        return
    # Not forked: what the parent has in memory and which threads it runs is nobody's business.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _start, (shared,))
    try:
        yield from pool.map(_make, tasks)
    except BrokenProcessPool as error:
        raise Problem(
            ExitCode.ENVIRONMENT,
            "a process that made a report was killed, perhaps because memory was short",
            "Make fewer at once with --jobs",
        ) from error
    except BaseException:  # an interruption, too: nobody needs the pages in hand
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_shared: Shared


def _start(shared: Shared) -> None:
    """Ctrl-C goes to the whole group: the parent deals with it, and ends the others. Nobody is left
    behind where it cannot."""
    global _shared
    _shared = shared
    end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make(task: Task) -> Made:
    return make_report(task, _shared)


def make_report(task: Task, shared: Shared) -> Made:
    from loopgauge import reports
    from loopgauge.harness.errors import HarnessError
    from loopgauge.harness.formats import read_any_whole
    from loopgauge.harness.history.entries import Context, entries_of
    from loopgauge.harness.history.families import family_points
    from loopgauge.harness.history.model import RATIO
    from loopgauge.harness.summary import summarise
    from loopgauge.reports.pages import write
    from loopgauge.reports.site.contents import SiteRun

    try:
        run, problem = read_any_whole(task.path)
        summary = summarise(run, verdicts=shared.verdicts)
    except HarnessError as error:
        named = str(task.path) in error.cause
        return Made(None, error.cause if named else f"{task.path}: {error.cause}")
    context = Context(run.header, commit="", sides={})
    entries = [
        entry
        for benchmark in summary.benchmarks
        for entry in entries_of(benchmark, context)
        if entry.series.metric == RATIO
    ]
    made = SiteRun(task.name, summary, [], entries)
    for part in by_python(run, summary, shared.verdicts):
        points = [*family_points(part)]
        made.points += points
        made.parts |= dict.fromkeys((point.machine for point in points), part)
    reports.render([summary], shared.out / made.page, _links(made, shared))
    write(reports.csv_text([summary]), shared.out / made.figures)
    return Made(made, problem)


def by_python(run: RunFile, whole: RunSummary, verdicts: Verdicts) -> Iterator[RunSummary]:
    """Of a run on several Pythons a summary for each. The self-check is that of the whole run."""
    from msgspec.structs import replace as changed

    from loopgauge.harness.history.families import of_one_python
    from loopgauge.harness.summary import summarise
    from loopgauge.reports.conformance.matrix import numbers

    pythons = {arm.python for arm in run.header.arms if arm.role in ("candidate", "reference")}
    if len(pythons) < 2:
        yield whole
        return
    for python in sorted(pythons, key=lambda label: (numbers(label), label)):
        part = of_one_python(run, python)
        if part is not None:
            yield changed(
                summarise(part, verdicts=verdicts),
                aa_ok=whole.aa_ok,
                advisory=whole.advisory,
                self_check=whole.self_check,
            )


def _links(run: SiteRun, shared: Shared) -> Links:
    from loopgauge.reports.site.contents import loop_page

    arms = run.summary.header.arms
    loops = {name: f"../{loop_page(arm.loop)}" for arm in arms for name in (arm.loop, arm.label)}
    return replace(shared.links, loops=loops, home=("../index.html", shared.title))
