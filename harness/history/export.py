"""Points as CSV and JSON, one after the other: a store may hold more than memory does."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import IO, Any

import msgspec

from loopgauge.harness.spreadsheet import harmless

COLUMNS = (
    "created", "run", "benchmark", "loop", "arm", "metric", "against", "unit", "direction",
    "value", "low", "high", "processes", "status", "version", "build", "commit",
    "machine", "cpu_model", "kernel", "python", "build_kind", "advisory", "complete",
)  # fmt: skip
SCHEMA = 1
KIND = "history"


def write(kind: str, rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    """`kind` is csv or json. Returns how many points were written."""
    return write_csv(rows, file) if kind == "csv" else write_json(rows, file)


def write_csv(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    """An empty cell is a figure that there is not."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    return sum(1 for _ in map(writer.writerow, map(_cells, rows)))


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: harmless(value) if isinstance(value, str) else value for name, value in row.items()
    }


def write_json(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    """One object with the points in `points`, one a line."""
    file.write(f'{{"schema": {SCHEMA}, "kind": "{KIND}", "points": [')
    count = 0
    for count, line in enumerate(_lines(rows), 1):
        file.write(("\n" if count == 1 else ",\n") + line)
    file.write("\n]}\n")
    return count


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield msgspec.json.encode({name: row[name] for name in COLUMNS}).decode()
