"""Result files of one JSON record a line that are appended to: what is whole after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from loopgauge.harness.errors import NewerSchema, NotARunFile

Record = TypeVar("Record")


def whole_records(
    path: Path, text: bytes, decode: Callable[[bytes], Record], schema: int, what: str
) -> Iterator[Record]:
    """A last line that a kill cut is left out: it never counted as recorded. `schema`: the newest
    that is known; `what` the file is, in words. Raises NotARunFile and NewerSchema."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield decode(line)
        except msgspec.DecodeError as error:
            if number == len(lines) > 1 and not text.endswith(b"\n"):
                return
            raise _refusal(path, number, line, schema, what, error) from error


def cut_partial_line(path: Path) -> None:
    """One that is not whole would spoil the next one."""
    text = path.read_bytes()
    if not text.endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)


def _refusal(
    path: Path, number: int, line: bytes, schema: int, what: str, error: Exception
) -> Exception:
    try:
        found = msgspec.json.decode(line, type=dict[str, object]).get("schema")
    except msgspec.DecodeError:
        found = None
    if isinstance(found, int) and found > schema:
        return NewerSchema(
            f"{path} was written by a newer loopgauge (schema {found})", "Upgrade loopgauge"
        )
    return NotARunFile(f"{path}, line {number}: no record of {what} ({error})")
