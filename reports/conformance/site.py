"""The HTML matrix: a folder of pages that opens from the disk, without server or network.

One page per case and per rule, for all loops together; the style and the script are files of their
own, so that thousands of pages stay small.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

from loopgauge.conformance.difference import WAYS, Difference
from loopgauge.conformance.model import GOOD
from loopgauge.conformance.profiles import Standing
from loopgauge.conformance.store import Results
from loopgauge.conformance.surface import surface
from loopgauge.harness.summary import RunSummary
from loopgauge.reports.conformance import answers, interface
from loopgauge.reports.conformance.citations import linked
from loopgauge.reports.conformance.matrix import (
    STOCK,
    CaseRow,
    Column,
    Matrix,
    RuleRow,
    Section,
    file_name,
    matrix_of,
)
from loopgauge.reports.conformance.measured import Measured, measured
from loopgauge.reports.conformance.symbols import LOOKS
from loopgauge.reports.links import NO_LINKS, Links
from loopgauge.reports.pages import environment, script, stylesheet, write

NOWHERE: Mapping[str, Any] = {}

#: The source of a stand-alone script for a case and a loop; "" where there is none.
Scripts = Callable[[str, str], str]


def no_scripts(case: str, loop: str) -> str:
    return ""


def render_site(
    sources: Sequence[Results],
    out: Path,
    scripts: Scripts = no_scripts,
    difference: Difference | None = None,
    runs: Sequence[RunSummary] = (),
    pages: Mapping[str, str] = NOWHERE,
    declared: Mapping[str, Sequence[tuple[str, str]]] = NOWHERE,
    links: Links = NO_LINKS,
) -> Path:
    """Writes the folder `out` and returns its first page; that is the page of the `difference` to
    an older run, where there is one. `runs`: what was measured of loops; a rule leads to the
    benchmarks that depend on it. `pages`: where the report of a run is, by its path, seen from
    `out`. `declared`: where nothing was measured, the scenarios that depend on a rule, with what
    each does. `links`: to a site's first page and its loops, seen from `out`. Raises OSError."""
    matrix = matrix_of(sources)
    made = page_environment()
    site = Site(out, made, matrix, difference, measured(runs, pages, declared), links)
    site.shared()
    site.index()
    site.surface()
    for section in matrix.sections:
        for rule in section.rules:
            site.rule(section, rule)
            for row in rule.cases:
                site.case(section, rule, row, scripts)
    return out / "index.html" if difference is None else site.changes()


def page_links(sources: Sequence[Results], folder: str = "") -> Links:
    """Where the pages of these sources are, seen from a page beside the `folder` they are in."""
    matrix = matrix_of(sources)
    return Links(
        cases={row.id: f"{folder}case/{row.file}" for row in matrix.cases},
        rules={
            rule.id: f"{folder}rule/{rule.id}.html"
            for section in matrix.sections
            for rule in section.rules
            if rule.rule is not None
        },
    )


def page_environment() -> Environment:
    return environment(LOOKS=LOOKS, GOOD=GOOD, file_name=file_name, linked=linked)


@dataclass(frozen=True)
class Group:
    """Columns of one loop beside each other."""

    loop: str
    columns: list[Column]


def groups(columns: Sequence[Column]) -> list[Group]:
    made: list[Group] = []
    for column in columns:
        if made and made[-1].loop == column.loop:
            made[-1].columns.append(column)
        else:
            made.append(Group(column.loop, [column]))
    return made


@dataclass(frozen=True)
class LoopRow:
    """A loop on several Pythons: profile -> state -> Python -> standing."""

    loop: str
    profiles: dict[str, dict[str, dict[str, Standing]]]


def overview(found: Sequence[Group]) -> list[LoopRow]:
    """A row per loop; none where each loop was asked on one Python, and a row per column does."""
    if all(len(group.columns) == 1 for group in found):
        return []
    rows = []
    for group in found:
        profiles: dict[str, dict[str, dict[str, Standing]]] = {}
        for column in group.columns:
            for one in column.profiles if not column.reason else ():
                states = profiles.setdefault(one.profile, {})
                states.setdefault(one.state, {})[column.short_python] = one
        if profiles:
            rows.append(LoopRow(group.loop, profiles))
    return rows


class Site:
    """The pages of one matrix."""

    def __init__(
        self,
        out: Path,
        made: Environment,
        matrix: Matrix,
        difference: Difference | None,
        found: Measured,
        links: Links,
    ) -> None:
        self.out = out
        self.environment = made
        self.matrix = matrix
        self.difference = difference
        self.measured = found
        self.links = links
        self.groups = groups(matrix.columns)
        self.unused = frozenset(LOOKS) - {k for row in matrix.cases for k in row.kinds}

    def shared(self) -> None:
        write(stylesheet("conformance"), self.out / "style.css")
        write(script("matrix"), self.out / "page.js")

    def page(self, template: str, file: str, **context: object) -> Path:
        depth = "../" * file.count("/")
        text = self.environment.get_template(f"conformance/{template}.html.j2").render(
            matrix=self.matrix,
            columns=self.matrix.columns,
            groups=self.groups,
            root=depth,
            difference=self.difference,
            measured=self.measured,
            links=self.links,
            **context,
        )
        return write(text, self.out / file)

    def index(self) -> None:
        kinds = [kind for kind in LOOKS if kind not in self.unused]
        rules = [rule for section in self.matrix.sections for rule in section.rules]
        self.page(
            "matrix",
            "index.html",
            kinds=kinds,
            overview=overview(self.groups),
            levels=[*dict.fromkeys(rule.level for rule in rules if rule.level)],
            cases=sum(1 for _ in self.matrix.cases),
            rules=len(rules),
            untested=[rule for rule in rules if rule.rule and not rule.cases],
        )

    def surface(self) -> None:
        found = interface.parts(surface(), self.matrix.columns)
        self.page("surface", "surface.html", parts=found, python=platform.python_version())

    def changes(self) -> Path:
        return self.page(
            "diff",
            "diff.html",
            ways=WAYS,
            pages={row.id: row.file for row in self.matrix.cases},
        )

    def rule(self, section: Section, rule: RuleRow) -> None:
        if rule.rule is not None:
            self.page("rule", f"rule/{rule.id}.html", section=section, rule=rule, item=rule.rule)

    def case(self, section: Section, rule: RuleRow, row: CaseRow, scripts: Scripts) -> None:
        found = answers.answers(row, self.matrix.columns)
        loop = interesting_loop(row)
        source = scripts(row.id, loop) if any(k not in GOOD for k in row.kinds) else ""
        script = ""
        if source:
            script = f"script/{file_name(row.id)}.py"
            write(source, self.out / script)
        self.page(
            "case",
            f"case/{row.file}",
            section=section,
            rule=rule,
            item=rule.rule,
            row=row,
            about=row.any,
            answers=found,
            texts=answers.texts,
            command=shlex.join(["bench", "repro", row.id, "--loop", loop]),
            script=script,
        )


def interesting_loop(row: CaseRow) -> str:
    """The first that does not pass, or else the first that is not stock."""
    found = [one for one in row.verdicts if one is not None]
    bad = [one for one in found if one.verdict not in GOOD]
    others = [one for one in found if one.loop != STOCK]
    return (bad or others or found)[0].loop
