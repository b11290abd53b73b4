"""Badges for the README of a loop: what it keeps (reports/conformance/badge.py), and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from loopgauge.conformance.summary import summarise
from loopgauge.reports.conformance.badge import Badge, write, write_badge
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.site.contents import Contents
from loopgauge.reports.site.overview import REFERENCE, Row, Section


def write_badges(
    contents: Contents, sections: Sequence[Section], folder: Path
) -> dict[str, list[str]]:
    """The names of the SVG files by loop: NAME.svg is of the newest result, NAME-3.14.svg of each
    Python, NAME-speed.svg of the machine that measured last. Raises OSError."""
    made: dict[str, list[str]] = {}
    for results in contents.results:
        python = ".".join(results.header.python.split(".")[:2])
        for asked in summarise(results).loops:
            for name in (f"{file_name(asked.loop)}-{python}.svg", f"{file_name(asked.loop)}.svg"):
                write_badge(asked, results.header.python, folder / name)
                made.setdefault(asked.loop, []).append(name)
    for loop, badge in _speeds(sections):
        name = f"{file_name(loop)}-speed.svg"
        write(badge, folder / name)
        made.setdefault(loop, []).append(name)
    return {loop: [*dict.fromkeys(names)] for loop, names in made.items()}


def _speeds(sections: Sequence[Section]) -> Iterator[tuple[str, Badge]]:
    done: set[str] = set()
    for section in sections:
        for row in sorted(section.rows, key=_weight, reverse=True):
            if row.loop not in done and (badge := speed(section, row)) is not None:
                done.add(row.loop)
                yield row.loop, badge


def _weight(row: Row) -> tuple[bool, str]:
    """Of several builds the badge is about one that columns are about, and of those the newest."""
    cells = row.cells.values()
    return not all(cell.elsewhere for cell in cells), max(cell.run.created for cell in cells)


def speed(section: Section, row: Row) -> Badge | None:
    """In how many families it is faster than stock asyncio, of those it was measured in, with a
    valid figure or without; None for that itself, and where it has none."""
    verdicts = [cell.point.figure.verdict for cell in row.cells.values()]
    if section.against != REFERENCE or not any(verdicts) or "reference" in verdicts:
        return None
    label = f"speed, asyncio {'.'.join(section.machine.python.split('.')[:2])}"
    faster, slower = verdicts.count("faster"), verdicts.count("slower")
    words = f"faster at {faster} of {len(verdicts)}"
    if slower:
        words += f", slower at {slower}"
    colour = "green" if faster and not slower else "orange" if faster else "lightgrey"
    return Badge(label, words, "red" if slower and not faster else colour)
