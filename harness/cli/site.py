"""`bench site`: a folder of pages over many result files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

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

\b
PATH is a run file, a conformance result, the folder of a gate, or a folder that
holds any of them (default: .bench); files may be packed with gzip or xz. The
site has a page that says which loop is good for what on each kind of machine
and Python, the report of every run, the conformance matrix, trends, a page per
loop and per rule, and badges. It opens from the disk and needs no network.
Only the conformance results among PATHs are held against what was measured.

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
    help="Where to.",
)
@click.option("--title", default=TITLE, show_default=True, metavar="TEXT", help="On every page.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Reports that are made at once. Default: as many as there are CPUs.",
)
@click.option("--open", "open_it", is_flag=True, help="Show the first page in the browser.")
def site(paths: tuple[Path, ...], out: Path, title: str, jobs: int | None, open_it: bool) -> None:
    """Build a static site over many runs."""
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
    if open_it:
        click.launch(str((out / "index.html").absolute()))
    click.get_current_context().exit(ExitCode.UNREADABLE if problems else ExitCode.OK)


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
