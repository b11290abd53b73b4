"""The interface of asyncio, method by method and parameter by parameter: what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from loopgauge.conformance.model import FAILING, Verdict
from loopgauge.conformance.surface import Exercised, Method, Surface
from loopgauge.reports.conformance.matrix import Column, file_name

State = Literal["works", "fails", "missing", "untested"]

TITLES = {
    "loop": "Event loop",
    "handle": "Handle and TimerHandle",
    "server": "Server",
    "transport": "Transports: stream, datagram, subprocess",
}
LISTED = 5  # failing cases in the tooltip of a cell


@dataclass(frozen=True)
class Known:
    """About one name in one column. `asked` and `failing` count the cases that are about it;
    `page` is that of a case that shows the failure."""

    state: State
    words: str
    asked: int = 0
    failing: int = 0
    page: str = ""

    @property
    def label(self) -> str:
        if self.state != "fails":
            return {"works": "✓", "missing": "○", "untested": ""}[self.state]
        return "✗"


@dataclass(frozen=True)
class Line:
    """A method, or one of its parameters: then `parameter` is its name."""

    name: str
    parameter: str
    cases: int
    cells: list[Known]


@dataclass(frozen=True)
class Part:
    """All methods of one kind of object."""

    title: str
    lines: list[Line]


def parts(found: Surface, columns: Sequence[Column]) -> list[Part]:
    made = []
    for owner, title in TITLES.items():
        methods = [method for method in found.methods if method.owner == owner]
        made.append(Part(title, [line for m in methods for line in _lines(found, m, columns)]))
    return made


def _lines(found: Surface, method: Method, columns: Sequence[Column]) -> Iterable[Line]:
    lacking = [_lacks(method, column) for column in columns]
    for parameter in ("", *method.parameters):
        used = found.of(method, parameter)
        cells = [
            missing or _known(used, column)
            for missing, column in zip(lacking, columns, strict=True)
        ]
        yield Line(method.name, parameter, len(used.by), cells)


def _lacks(method: Method, column: Column) -> Known | None:
    """Where some case said that the loop does not have the method."""
    for verdict in column.verdicts.values():
        if verdict.verdict == "UNIMPLEMENTED" and verdict.evidence.missing == method.name:
            return Known("missing", verdict.reason, page=_page(verdict))
    return None


def _known(used: Exercised, column: Column) -> Known:
    asked = [verdict for case in sorted(used.by) if (verdict := _told(column, case)) is not None]
    if not asked:
        return Known("untested", "no case says anything about it")
    about = [verdict for verdict in asked if verdict.case in used.about]
    # A case that is about something else may fail for its own reasons; if all do, it is this one.
    failing = [verdict for verdict in about if verdict.verdict in FAILING]
    if not failing and all(verdict.verdict in FAILING for verdict in asked):
        about = failing = asked
    if failing:
        some = ", ".join(verdict.case for verdict in failing[:LISTED])
        more = f" and {len(failing) - LISTED} more" if len(failing) > LISTED else ""
        words = f"{len(failing)} of {len(about)} cases about it fail: {some}{more}"
        return Known("fails", words, len(about), len(failing), _page(failing[0]))
    return Known("works", f"{len(asked)} cases use it, {len(about)} are about it", len(about))


def _told(column: Column, case: str) -> Verdict | None:
    verdict = column.verdicts.get(case)
    if verdict is None or verdict.verdict in ("NOT_APPLICABLE", "HARNESS"):
        return None
    return verdict


def _page(verdict: Verdict) -> str:
    return f"case/{file_name(verdict.case)}.html#{verdict.loop}-{verdict.python}"
