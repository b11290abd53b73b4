"""The result file on disk: `.bench/conformance/<utc>-<id>.jsonl`, appended to, never rewritten."""

from __future__ import annotations

import fcntl
import gzip
import lzma
import os
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loopgauge.conformance.model import KIND, SCHEMA, AnyRecord, End, Header, Verdict

FOLDER = Path(".bench/conformance")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyRecord)


class UnreadableResult(Exception):
    """A file is no result of a conformance run; `cause` and `cure` are one line each."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}. {cure}")
        self.cause = cause
        self.cure = cure


@dataclass
class Results:
    """A result file as read; `end` is None where the run was killed."""

    path: Path
    header: Header
    verdicts: list[Verdict] = field(default_factory=list)
    end: End | None = None

    def of(self, loop: str) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.loop == loop]


class ResultTaken(Exception):
    """Another process is writing this file; `cause` and `cure` are one line each."""

    def __init__(self, path: Path) -> None:
        self.cause = f"{path} is being written by another bench conformance"
        self.cure = "Wait until it has ended"
        super().__init__(f"{self.cause}. {self.cure}")


class Writer:
    """Appends records; each line is whole when `write` returns. What a killed writer left of a line
    is cut off. Raises ResultTaken."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ResultTaken(path) from None
        self._file.seek(0)
        found = self._file.read()
        whole = found.rfind(b"\n") + 1
        if whole < len(found):
            self._file.truncate(whole)

    def write(self, record: AnyRecord) -> None:
        self._file.write(_encoder.encode(record) + b"\n")
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def new_path(folder: Path = FOLDER) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return folder / f"{stamp}-{secrets.token_hex(3)}.jsonl"


def stored(folder: Path = FOLDER) -> list[Path]:
    """All result files, oldest first; the empty file of a run that could not write is none."""
    return sorted(path for path in folder.glob("*.jsonl") if path.stat().st_size)


def read(path: Path) -> Results:
    """The file may be packed with gzip or xz. Raises UnreadableResult with the number of the bad
    line; a cut last line is left out."""
    try:
        lines = _unpacked(path.read_bytes()).splitlines()
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableResult(
            f"cannot read {path}: {reason}", "`bench conformance` makes results"
        ) from error
    if not is_result(lines):
        raise UnreadableResult(
            f"{path} is no result of a conformance run", "`bench conformance` makes one"
        )
    records = list(_records(path, lines))
    if not records or not isinstance(records[0], Header):
        raise UnreadableResult(f"{path} does not begin with a header", "Run conformance again")
    results = Results(path, records[0])
    for record in records[1:]:
        if isinstance(record, Verdict):
            results.verdicts.append(record)
        elif isinstance(record, End):
            results.end = record
    return results


def _unpacked(data: bytes) -> bytes:
    """Told by the content, as harness.packed does for run files; the rooms share no code."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    return lzma.decompress(data) if data.startswith(b"\xfd7zXZ") else data


def is_result(lines: Sequence[bytes]) -> bool:
    """Whether the first line is the beginning of a conformance result, of whatever schema."""
    return bool(lines) and _envelope(lines[0]).kind == KIND


class _Envelope(msgspec.Struct):
    """What every line begins with, in every schema."""

    schema: int = 0
    kind: str = ""


def _envelope(line: bytes) -> _Envelope:
    try:
        return msgspec.json.decode(line, type=_Envelope)
    except msgspec.DecodeError:
        return _Envelope()


def _records(path: Path, lines: Sequence[bytes]) -> Iterable[AnyRecord]:
    for number, line in enumerate(lines, 1):
        written_with = _envelope(line).schema
        if written_with > SCHEMA:
            raise UnreadableResult(
                f"{path}, line {number}: written with schema {written_with}, this loopgauge reads "
                f"up to {SCHEMA}",
                "Update loopgauge: pip install -U loopgauge",
            )
        try:
            yield _decoder.decode(line)
        except msgspec.DecodeError as error:
            if number == len(lines) and number > 1:
                return
            raise UnreadableResult(
                f"{path}, line {number}: {error}", "Remove the file, or run conformance again"
            ) from error
