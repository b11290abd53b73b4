"""`bench report` of conformance results: the folder with the HTML matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.given import is_verdicts
from loopgauge.harness.cli.runs import shown
from loopgauge.harness.packed import stem

if TYPE_CHECKING:
    from loopgauge.conformance.difference import Difference
    from loopgauge.conformance.store import Results
    from loopgauge.harness.summary import RunSummary


MARK = "Made by loopgauge"  # at the foot of every page


def are_verdicts(names: Sequence[str]) -> bool:
    """Whether the files are results of conformance runs. Raises UsageError where some are and
    some are not: they have nothing to compare."""
    found = [is_verdicts(Path(name)) for name in names]
    if any(found) and not all(found):
        raise click.UsageError(
            "One is a measurement, the other a conformance result: there is nothing to compare."
        )
    return any(found)


def report(paths: Sequence[Path], out: Path | None, *, open_it: bool) -> None:
    """Writes the folder and says where it is. Raises UnreadableResult."""
    from loopgauge.conformance import store

    require_ours(out or beside(paths[0]))
    results = [store.read(path) for path in paths]
    _say(make_site(results, out or beside(paths[0])), open_it=open_it)


def require_ours(folder: Path) -> None:
    """A matrix is thousands of files among what is there: raises Problem for a folder with a first
    page of somebody else's, or with files and no first page."""
    page = folder / "index.html"
    if page.is_file():
        ours = MARK in page.read_text("utf-8", errors="replace")
    else:
        ours = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not ours:
        raise Problem(
            ExitCode.USAGE,
            f"--out {folder} holds what `bench report` did not write",
            "Choose another folder: the matrix has one to itself",
        )


def beside(path: Path) -> Path:
    """The folder of a result's pages, where nobody named one."""
    name = stem(path)
    return path.with_name(name if name != path.name else f"{name}-pages")


def report_difference(paths: Sequence[Path], out: Path | None, *, open_it: bool) -> ExitCode:
    """Prints what changed from the first file to the second, and writes the folder of the second
    with a page about it. Raises UnreadableResult."""
    from loopgauge.conformance import store
    from loopgauge.conformance.difference import compare
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.verdict_table import print_difference

    if len(paths) != 2:
        raise click.UsageError("--diff compares two results: the old one, then the new one.")
    require_ours(out or beside(paths[1]))
    old, new = map(store.read, paths)
    difference = compare(old, new)
    print_difference(difference, stdout_console())
    _say(make_site([new], out or beside(paths[1]), difference), open_it=open_it)
    return ExitCode.CONFORMANCE if difference.of("regression") else ExitCode.OK


def _say(page: Path, *, open_it: bool) -> None:
    click.echo(f"html: {shown(page)}", err=True)
    if open_it:
        click.launch(str(page.absolute()))


def make_site(
    results: Sequence[Results],
    folder: Path,
    difference: Difference | None = None,
    runs: Sequence[RunSummary] = (),
    pages: Mapping[str, str] = {},
) -> Path:
    """`runs` and `pages` as of `render_site`."""
    from loopgauge.reports.conformance.site import render_site

    return render_site(results, folder, scripts(), difference, runs, pages, declared())


def declared() -> dict[str, list[tuple[str, str]]]:
    """By rule, the scenarios that depend on it."""
    from loopgauge.scenarios.registry import all_scenarios

    found: dict[str, list[tuple[str, str]]] = {}
    for scenario in all_scenarios().values():
        for rule in scenario.rules:
            found.setdefault(rule, []).append((scenario.id, scenario.summary))
    return found


def scripts() -> Callable[[str, str], str]:
    """The stand-alone script of a case for a loop; "" for cases this version does not have."""
    from loopgauge.conformance.case import all_cases
    from loopgauge.conformance.repro import CannotCut, script
    from loopgauge.conformance.runner.messages import Target
    from loopgauge.loops.registry import LoopError, resolve

    cases = all_cases()

    @cache
    def target(loop: str) -> Target:
        """Kept, because finding a loop looks through every installed distribution."""
        spec = resolve(loop)
        return Target(name=spec.name, factory=spec.factory, arguments=spec.arguments)

    def source(case: str, loop: str) -> str:
        if case not in cases:
            return ""
        try:
            return script(cases[case], target(loop))
        except (CannotCut, LoopError):
            return ""

    return source
