"""Result files as one matrix: areas, rules and cases against loops and Pythons."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from loopgauge.conformance.catalogue import Rule, areas
from loopgauge.conformance.model import Kind, Lane, Subject, Verdict
from loopgauge.conformance.profiles import Standing, standings
from loopgauge.conformance.store import Results
from loopgauge.conformance.summary import loops_of
from loopgauge.reports.conformance.symbols import LOOKS, worst

STOCK = "asyncio"
LANE_TITLES: dict[Lane, str] = {
    "rules": "Rules",
    "cpython": "CPython's own tests",
    "differential": "Generated programs, compared with stock",
    "ecosystem": "Programs over popular libraries",
}


@dataclass
class Column:
    """A loop on a Python. `whole`: it was asked every rule."""

    loop: str
    version: str
    python: str
    reason: str = ""  # why it was not asked; "" where it was
    whole: bool = True
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # by case
    profiles: list[Standing] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.loop} {self.version}".strip()

    @property
    def short_python(self) -> str:
        return ".".join(self.python.split(".")[:2])


@dataclass
class CaseRow:
    """One case; `stock_differs` where some loop's verdict is not that of stock on its Python."""

    id: str
    file: str  # of its page, without folder
    verdicts: list[Verdict | None]  # by column
    differs: bool

    @property
    def kinds(self) -> list[Kind]:
        return [one.verdict for one in self.verdicts if one is not None]

    @property
    def any(self) -> Verdict:
        return next(one for one in self.verdicts if one is not None)

    @property
    def slug(self) -> str:
        return self.id.partition(".")[2] if self.any.rule else self.id.partition(":")[2] or self.id


@dataclass
class Cell:
    """All cases of a rule in one column."""

    kind: Kind | None = None
    good: int = 0
    asked: int = 0


@dataclass
class RuleRow:
    """A rule with its cases; in lanes without rules, a group of questions. `rule` is None there,
    and where the result is of a suite that had more rules than this one."""

    id: str
    level: str
    text: str
    rule: Rule | None
    cases: list[CaseRow]
    cells: list[Cell]


@dataclass
class Section:
    """An area, or a lane without rules."""

    id: str
    title: str
    rules: list[RuleRow]
    failing: list[tuple[int, int]] = field(default_factory=list)  # MUST: failing, asked; by column


@dataclass
class Matrix:
    columns: list[Column]
    sections: list[Section]
    sources: list[Results]

    @property
    def cases(self) -> Iterable[CaseRow]:
        for section in self.sections:
            for rule in section.rules:
                yield from rule.cases


def matrix_of(sources: Sequence[Results]) -> Matrix:
    """Later files win where two have an answer of the same loop in the same version on the same
    Python."""
    columns = _columns(sources)
    whole = any(not source.header.selection for source in sources)
    made = Matrix(columns, [*_areas(columns, everything=whole), *_lanes(columns)], [*sources])
    for section in made.sections:
        section.failing = [_failing(section, number) for number in range(len(columns))]
    return made


def _columns(sources: Sequence[Results]) -> list[Column]:
    found: dict[tuple[str, str, str], Column] = {}
    for source in sources:
        header = source.header
        end = source.end
        whole = end is not None and end.complete and not header.selection
        subjects = {subject.loop: subject for subject in header.subjects}
        for loop in loops_of(header, source.verdicts):
            verdicts = source.of(loop)
            subject = subjects.get(loop) or Subject(loop=loop, factory="")
            version = verdicts[0].version if verdicts else subject.version
            key = (loop, version, header.python)
            column = found.setdefault(key, Column(loop, version, header.python, whole=False))
            column.whole = column.whole or whole
            column.verdicts.update((verdict.case, verdict) for verdict in verdicts)
            column.reason = "" if column.verdicts else subject.reason or "it was not asked"
    for column in found.values():
        column.profiles = standings(column.verdicts.values(), whole=column.whole)
    loops = [*dict.fromkeys(column.loop for column in found.values())]
    return sorted(found.values(), key=lambda one: (loops.index(one.loop), *_versions(one)))


def _versions(column: Column) -> tuple[object, ...]:
    return numbers(column.python), numbers(column.version), column.version


def numbers(version: str) -> list[int]:
    """What versions are put in order by: 3.9 comes before 3.14."""
    return [int(part) for part in re.findall(r"\d+", version)]


def _areas(columns: Sequence[Column], *, everything: bool) -> Iterable[Section]:
    """`everything`: rules without a verdict are shown, too, because all were asked for."""
    cases = _rows(columns, [v for c in columns for v in c.verdicts.values() if v.rule])
    by_rule: dict[str, list[CaseRow]] = {}
    for row in cases:
        by_rule.setdefault(row.any.rule, []).append(row)
    for area in areas().values():
        rules = [
            _rule_row(rule.id, rule, by_rule.pop(rule.id, []))
            for rule in area.rules
            if everything or rule.id in by_rule
        ]
        if rules:
            yield Section(area.id, area.title, rules)
    if by_rule:  # a newer or older catalogue
        yield Section(
            "other", "Rules this version does not know", [_rule_row(i, None, r) for i, r in
                                                          by_rule.items()]
        )  # fmt: skip


def _lanes(columns: Sequence[Column]) -> Iterable[Section]:
    for lane, title in LANE_TITLES.items():
        verdicts = [
            v for c in columns for v in c.verdicts.values() if v.lane == lane and not v.rule
        ]
        groups: dict[str, list[CaseRow]] = {}
        for row in _rows(columns, verdicts):
            groups.setdefault(_group(row.id), []).append(row)
        if groups:
            yield Section(lane, title, [_rule_row(name, None, r) for name, r in groups.items()])


def _group(case: str) -> str:
    """What an id of a lane without rules belongs to: its class or its program."""
    name = case.partition(":")[2] or case
    head, dot, _ = name.replace("::", ".").rpartition(".")
    return head if dot else case.partition(":")[0]


def _rows(columns: Sequence[Column], verdicts: Iterable[Verdict]) -> list[CaseRow]:
    stock = {c.python: c.verdicts for c in columns if c.loop == STOCK}
    rows = []
    for case in dict.fromkeys(verdict.case for verdict in verdicts):
        found = [column.verdicts.get(case) for column in columns]
        rows.append(
            CaseRow(case, f"{file_name(case)}.html", found, any(_differs(v, stock) for v in found))
        )
    return sorted(rows, key=lambda row: row.id)


def _differs(verdict: Verdict | None, stock: dict[str, dict[str, Verdict]]) -> bool:
    if verdict is None or verdict.loop == STOCK or verdict.verdict == "HARNESS":
        return False
    of_stock = stock.get(verdict.python, {}).get(verdict.case)
    kind = of_stock.verdict if of_stock else verdict.stock
    return bool(kind) and kind != verdict.verdict


def _rule_row(id: str, rule: Rule | None, cases: list[CaseRow]) -> RuleRow:
    level = rule.level if rule else cases[0].any.level
    width = len(cases[0].verdicts) if cases else 0
    cells = [_cell([row.verdicts[number] for row in cases]) for number in range(width)]
    return RuleRow(id, level, rule.text if rule else "", rule, cases, cells)


def _cell(verdicts: Iterable[Verdict | None]) -> Cell:
    kinds = [one.verdict for one in verdicts if one is not None]
    if not kinds:
        return Cell()
    asked = [kind for kind in kinds if kind != "NOT_APPLICABLE"]
    good = sum(LOOKS[kind].severity <= LOOKS["NON_STRICT"].severity for kind in asked)
    return Cell(worst(kinds), good, len(asked))


def _failing(section: Section, column: int) -> tuple[int, int]:
    """Of the cases that count: MUST in areas, all in other lanes."""
    found = [
        verdict
        for rule in section.rules
        for row in rule.cases
        if (verdict := row.verdicts[column]) is not None
        and verdict.level in ("MUST", "")
        and verdict.verdict not in ("NOT_APPLICABLE", "HARNESS")
    ]
    bad = sum(LOOKS[one.verdict].severity >= LOOKS["FLAKY"].severity for one in found)
    return bad, len(found)


def file_name(id: str) -> str:
    """A name for files that is safe everywhere, and another one for another id."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", id)[:100]
    if safe == id:
        return safe
    return f"{safe}-{hashlib.sha256(id.encode('utf-8', 'replace')).hexdigest()[:8]}"
