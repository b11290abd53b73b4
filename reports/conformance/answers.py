"""A case page's evidence: loops that gave the same answer share one account of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopgauge.conformance.model import GOOD, Verdict
from loopgauge.reports.conformance.matrix import STOCK, CaseRow, Column
from loopgauge.reports.conformance.texts import without_runner

LONGEST = 2000  # characters of a value
LONGEST_TEXT = 20_000  # of a log, an output, a stack
#: What differs between two runs of the same thing: addresses, descriptors, ports, times.
VOLATILE = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class Comparison:
    """One comparison of a case. `stock`: what stock asyncio showed; None if unknown. `broken`: the
    case ended with this one."""

    what: str
    wanted: str
    observed: str
    stock: str | None
    broken: bool


@dataclass(frozen=True)
class EventLine:
    """A line of two event traces: "same", "missing" (only stock has it), "extra"."""

    mark: str
    text: str


@dataclass
class Answer:
    """What some loops said in the same way; `example` is the first of them."""

    columns: list[Column]
    example: Verdict
    comparisons: list[Comparison]
    events: list[EventLine]
    has_stock_events: bool

    @property
    def names(self) -> list[tuple[str, list[str]]]:
        """Loops with their Pythons."""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            found.setdefault(column.name, []).append(column.short_python)
        return [*found.items()]


def answers(row: CaseRow, columns: Sequence[Column]) -> list[Answer]:
    """Those that are not good first. What does not bind on a Python has no evidence, and is left
    out."""
    stock = {
        column.python: verdict
        for column, verdict in zip(columns, row.verdicts, strict=True)
        if column.loop == STOCK and verdict is not None
    }
    found: dict[tuple[object, ...], Answer] = {}
    for column, verdict in zip(columns, row.verdicts, strict=True):
        if verdict is None or verdict.verdict == "NOT_APPLICABLE":
            continue
        key = _likeness(verdict)
        if key in found:
            found[key].columns.append(column)
            continue
        reference = None if column.loop == STOCK else stock.get(column.python)
        found[key] = Answer(
            [column],
            verdict,
            [*_comparisons(verdict, reference)],
            _trace(verdict.evidence.events, reference.evidence.events if reference else None),
            reference is not None,
        )
    return sorted(found.values(), key=lambda answer: answer.example.verdict in GOOD)


def _likeness(verdict: Verdict) -> tuple[object, ...]:
    seen = verdict.evidence
    return (
        verdict.verdict,
        verdict.status,
        verdict.expectation,
        VOLATILE.sub("#", verdict.reason),
        tuple(VOLATILE.sub("#", "\0".join(one)) for one in seen.observations),
        tuple(seen.events),
        seen.missing,
        VOLATILE.sub("#", "\0".join(seen.resources)),
    )


def _comparisons(verdict: Verdict, stock: Verdict | None) -> Iterator[Comparison]:
    """Side by side with stock's, by what was compared; the n-th with stock's n-th of that name."""
    of_stock: dict[str, list[str]] = {}
    for what, _, observed in stock.evidence.observations if stock else []:
        of_stock.setdefault(what, []).append(observed)
    last = len(verdict.evidence.observations)
    for number, (what, wanted, observed) in enumerate(verdict.evidence.observations, 1):
        # A case ends with its first mismatch, unless it fails by something it did not compare.
        broken = number == last and verdict.verdict == "FAIL" and verdict.reason.startswith(what)
        seen = of_stock.get(what)
        stock_observed = seen.pop(0) if seen else None
        yield Comparison(
            shortened(what),
            shortened(wanted),
            shortened(observed),
            None if stock_observed is None else shortened(stock_observed),
            broken,
        )


def _trace(events: Sequence[str], stock: Sequence[str] | None) -> list[EventLine]:
    if stock is None or [*events] == [*stock]:
        return [EventLine("same", shortened(event)) for event in events]
    lines = []
    marks = {"  ": "same", "- ": "missing", "+ ": "extra"}
    for line in difflib.ndiff([*map(shortened, stock)], [*map(shortened, events)]):
        if line[:2] in marks:
            lines.append(EventLine(marks[line[:2]], line[2:]))
    return lines


def shortened(text: str, most: int = LONGEST) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]} … ({len(text) - most} more characters are in the result file)"


#: What explains a verdict best, and is therefore shown unfolded.
_EXPLAINS = {
    "LEAK": "Left behind",
    "ERROR": "Traceback",
    "HANG": "Stack of every thread",
    "CRASH": "Stack of every thread",
    "INFO": "Recorded, not judged",
}


@dataclass(frozen=True)
class LongText:
    """A piece of evidence of many lines."""

    title: str
    text: str
    unfolded: bool


def texts(verdict: Verdict) -> list[LongText]:
    """The longer pieces of evidence; those that are not there are left out."""
    seen = verdict.evidence
    notes = "\n".join(f"{name}: {value}" for name, value in seen.notes.items())
    found = [
        ("Left behind", "\n".join(seen.resources)),
        ("Recorded, not judged", notes),
        ("Traceback", without_runner(seen.traceback)),
        ("Stack of every thread", without_runner(seen.stack)),
        ("What asyncio logged", "\n".join(seen.logs)),
        ("Output of the process", seen.output),
    ]
    return [
        LongText(
            title,
            shortened(text.strip("\n"), LONGEST_TEXT),
            title == _EXPLAINS.get(verdict.verdict),
        )
        for title, text in found
        if text
    ]
