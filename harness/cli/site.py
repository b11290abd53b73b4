"""`bench site`: a folder of pages over many result files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from loopgauge.harness.cli.errors import Problem, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.store import Results
    from loopgauge.harness.cli.site_pages import Made
    from loopgauge.harness.cli.site_sources import Sources
    from loopgauge.reports.site.contents import SiteGate, SiteRun

RESULTS = Path(".bench")
FOLDER = Path("site")
TITLE = "asyncio event loops"

EPILOG = """\b
Examples:
  bench site
  bench site .bench results/*.jsonl.xz --out public --title "Loops at ACME"
  bench site .bench/runs .bench/conformance/RUN.jsonl --open
  bench site --store postgresql://me@server/loopgauge --out public
  bench site --store .bench/history.sqlite --loop uvloop --out uvloop.html

\b
PATH is a run file, a conformance result, the folder of a gate, or a folder that
holds any of them (default: .bench); files may be packed with gzip or xz. The
site has a page that says which loop is good for what on each kind of machine
and Python, the report of every run, the conformance matrix, trends, a page per
loop and per rule, and badges. It opens from the disk and needs no network.
Only the conformance results among PATHs are held against what was measured.

\b
--store builds from what `bench history import` has stored of many hosts: which
loop for what by Python and kind of machine, each host by itself first, then
over hosts, and where hosts say the opposite; a page per loop, trends, badges.
A store keeps summaries, so there are no reports of runs and no conformance.
With --loop the page of that loop alone is made, as one file.

\b
The site is built in a new folder, which takes the place of the old one when it
is whole: until then, and after Ctrl-C, the old one stays as it is. A folder
that holds anything else is left alone.

\b
Exit codes:
  0    the site was built
  2    usage: an option is wrong, or --out holds other things
  4    there was nothing to build a site of
  7    a file cannot be read; the site was built of the others, and names it
  8    environment: disk
  70   a bug in bench
  130  interrupted (Ctrl-C); 143 terminated
"""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=FOLDER,
    show_default=True,
    metavar="FOLDER",
    help="Where to; with --loop a file, site-LOOP.html unless told.",
)
@click.option(
    "--store",
    metavar="FILE|URL",
    help="Build from this store of `bench history` instead of from PATHs.",
)
@click.option("--loop", metavar="NAME", help="With --store: the page of this loop alone.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="With --store: how long to wait for another process that holds it.",
)
@click.option("--title", default=TITLE, show_default=True, metavar="TEXT", help="On every page.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Reports that are made at once. Default: as many as there are CPUs.",
)
@click.option("--open", "open_it", is_flag=True, help="Show the first page in the browser.")
@click.pass_context
def site(
    context: click.Context,
    paths: tuple[Path, ...],
    out: Path,
    store: str | None,
    loop: str | None,
    wait: float,
    title: str,
    jobs: int | None,
    open_it: bool,
) -> None:
    """Build a static site over many runs."""
    if loop is not None and store is None:
        raise click.UsageError("--loop belongs to --store; a site of PATHs has a page per loop.")
    if store is None:
        page, code = site_of_files(paths, out, title, jobs)
    else:
        refuse_beside_store(paths, jobs)
        own_place = context.get_parameter_source("out") is not ParameterSource.DEFAULT
        page, code = from_store(store, wait, loop, out if own_place or not loop else None, title)
    if open_it:
        click.launch(str(page.absolute()))
    context.exit(code)


def refuse_beside_store(paths: Sequence[Path], jobs: int | None) -> None:
    """A run may be in a file and in the store, and would count twice; and of what a store says
    there is no evidence to show beside the reports of files."""
    for given, name in ((bool(paths), "PATHs"), (jobs is not None, "--jobs")):
        if given:
            raise click.UsageError(f"--store builds from the store alone: leave out {name}.")


def from_store(
    store: str, wait: float, loop: str | None, out: Path | None, title: str
) -> tuple[Path, ExitCode]:
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.cli.site_store import page_of_loop, site_of_store

    if loop is None:
        page = site_of_store(store, wait, out or FOLDER, title)
    else:
        page = page_of_loop(store, wait, loop, out, title)
    click.echo(f"html: {shown(page)}", err=True)
    return page, ExitCode.OK


def site_of_files(
    paths: tuple[Path, ...], out: Path, title: str, jobs: int | None
) -> tuple[Path, ExitCode]:
    from loopgauge.harness.cli import site_sources
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.cli.site_folder import replacing, require_ours

    given = paths or ((RESULTS,) if RESULTS.is_dir() else ())
    found = site_sources.find(given)
    require_ours(out, [*found.paths, *given])
    if not found.paths:
        words = ", ".join(map(str, paths or (RESULTS,)))
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            f"there is no result in {words}",
            "`bench run` and `bench conformance` make some",
        )
    with termination_as_interrupt(), replacing(out) as folder:
        problems = build(found, folder, title, jobs or len(os.sched_getaffinity(0)))
    click.echo(f"html: {shown(out / 'index.html')}", err=True)
    for problem in problems:
        click.echo(f"error: {problem}.", err=True)
    return out / "index.html", ExitCode.UNREADABLE if problems else ExitCode.OK


def build(found: Sources, folder: Path, title: str, jobs: int) -> list[str]:
    """Writes all pages into `folder`; returns what could not be read, a line each. Raises Problem
    where nothing could be."""
    from loopgauge.harness.cli.matrix import scripts
    from loopgauge.reports.site.contents import Contents
    from loopgauge.reports.site.site import render

    problems: list[str] = []
    results = read_results(found.conformance, problems)
    runs = read_runs(found.runs, results, folder, title, jobs, problems)
    gates = read_gates(found.gates, folder, problems)
    if not (results or runs or gates):
        raise Problem(ExitCode.UNREADABLE, problems[0], "No site was built")
    render(Contents(title, runs, results, gates, problems), folder, scripts())
    return problems


def read_results(paths: Sequence[Path], problems: list[str]) -> list[Results]:
    """Oldest first."""
    from loopgauge.conformance.store import UnreadableResult, read

    results = []
    for path in paths:
        try:
            results.append(read(path))
        except UnreadableResult as error:
            problems.append(error.cause)
    return sorted(results, key=lambda found: found.header.created)


def read_runs(
    paths: Sequence[Path],
    results: Sequence[Results],
    folder: Path,
    title: str,
    jobs: int,
    problems: list[str],
) -> list[SiteRun]:
    """Oldest first; their reports are written on the way."""
    from loopgauge.harness.cli.site_pages import Shared, Task, make_reports
    from loopgauge.harness.verdicts import Verdicts, verdicts_in
    from loopgauge.reports.conformance.site import page_links

    verdicts = Verdicts()
    for found in results:
        for verdict in verdicts_in(found.path):
            verdicts.add(verdict)
    shared = Shared(
        out=folder,
        title=title,
        verdicts=verdicts,
        links=page_links(results, "../conformance/"),
    )
    tasks = [Task(path, name) for path, name in zip(paths, page_names(paths), strict=True)]
    runs = []
    for made in progress(make_reports(tasks, shared, jobs), len(tasks)):
        if made.run is not None:
            runs.append(made.run)
        if made.problem:
            problems.append(made.problem)
    return sorted(runs, key=lambda run: run.created)


def page_names(paths: Sequence[Path]) -> list[str]:
    """That of the file, and a number where another one is called so, too."""
    from loopgauge.harness.packed import stem
    from loopgauge.reports.conformance.matrix import file_name

    names: list[str] = []
    for path in paths:
        name = file_name(stem(path))
        same = sum(other == name or other.startswith(f"{name}~") for other in names)
        names.append(f"{name}~{same + 1}" if same else name)
    return names


def read_gates(folders: Sequence[Path], out: Path, problems: list[str]) -> list[SiteGate]:
    """Oldest first; their pages are written on the way. One that did not come to its end shows what
    its files say so far."""
    from loopgauge.harness.errors import HarnessError
    from loopgauge.harness.gate.decision import decide
    from loopgauge.harness.gate.gathering import gather
    from loopgauge.harness.gate.store import read_gate
    from loopgauge.reports.gate import render_gate
    from loopgauge.reports.site.contents import SiteGate

    gates = []
    for folder, name in zip(folders, page_names(folders), strict=True):
        try:
            gate = read_gate(folder)
            made = SiteGate(name, gate, finished=gate.result is not None)
            gate.result = gate.result or decide(gate)
            evidence = gather(gate)
        except HarnessError as error:
            problems.append(error.cause)
            continue
        problems += evidence.missing
        render_gate(gate, evidence, out / made.page)
        gates.append(made)
    return sorted(gates, key=lambda gate: gate.file.header.created)


def progress(made: Iterable[Made], whole: int) -> Iterable[Made]:
    from rich.progress import track

    from loopgauge.harness.cli.console import live_display_wanted, stderr_console

    return track(
        made,
        "reports",
        total=whole,
        console=stderr_console(),
        transient=True,
        disable=not live_display_wanted(),
    )
