"""The run file on disk: appended to, never rewritten, and synced before a step counts as done.

Writing: a group of records (all samples of one benchmark in one process) goes out in one write
and one fsync: a kill loses at most the group in flight. Reading keeps whatever is whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness.coherence import fault_of_header, fault_of_sample
from loopgauge.harness.errors import NewerSchema, NotARunFile, PlaceTaken, StoreFull, TruncatedRun
from loopgauge.harness.model import (
    KIND,
    SCHEMA,
    AnyRecord,
    End,
    Event,
    Header,
    Metric,
    Record,
    Sample,
)
from loopgauge.harness.packed import content, is_packed

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyRecord)


@dataclass
class RunFile:
    """A run file as read; `complete` when the end record is there."""

    path: Path
    header: Header
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return bool(self.ends)

    def add(self, record: AnyRecord) -> None:
        if isinstance(record, Sample):
            self.samples.append(record)
        elif isinstance(record, Metric):
            self.metrics.append(record)
        elif isinstance(record, Event):
            self.events.append(record)
        elif isinstance(record, End):
            self.ends.append(record)


class RunWriter:
    """Appends to one file; owns its descriptor, and is the file's only writer. Raises StoreFull,
    and then leaves the file as it was before the failed call; PlaceTaken where somebody else is
    writing to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._failure(error) from error
        try:
            _lock(self._fd, path)
        except PlaceTaken:
            self.close()
            raise

    def append(self, records: Iterable[Record], *, sync: bool = True) -> None:
        data = b"".join(_encoder.encode(record) + b"\n" for record in records)
        size = os.fstat(self._fd).st_size
        try:
            self._write(data)
            if sync:
                os.fsync(self._fd)
        except OSError as error:
            self._restore(size)
            raise self._failure(error) from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _restore(self, size: int) -> None:
        """Takes back half a record. A device such as /dev/full has no length to restore."""
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            return

    def _failure(self, error: OSError) -> StoreFull:
        return StoreFull(
            f"cannot write {self.path}: {in_words(error)}",
            "Everything recorded before is intact: make room, then go on with "
            f"--resume {self.path}, or choose another place with --out",
        )


def in_words(error: OSError) -> str:
    """Why a file cannot be written."""
    words = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file size limit is reached",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def open_for_resume(path: Path) -> RunFile:
    """Reads a run to be continued, and mends its end: a line that a kill left half written is cut
    off, since it never counted as recorded; one that lacks only its newline gets it. Raises
    PlaceTaken when the run is still going on: its last line may be half written right now."""
    _require_no_writer(path)
    _require_plain(path)
    try:
        run = read_run(path)
    except TruncatedRun as error:
        if not _is_last_line(path, error.line):
            raise
        _cut_last_line(path)
        return read_run(path)
    _end_last_line(path)
    return run


def read_run(path: Path) -> RunFile:
    """Packed or not. Raises NotARunFile, NewerSchema or TruncatedRun (which holds what is
    whole)."""
    try:
        lines = content(path).split(b"\n")
    except OSError as error:
        raise NotARunFile(
            f"cannot read {path}: {error.strerror or error}",
            "`bench list runs` names the runs there are",
        ) from error
    run = RunFile(path, _read_header(path, lines[0], whole=len(lines) > 1))
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        try:
            run.add(_coherent(_decoder.decode(line)))
        except (msgspec.DecodeError, _Incoherent) as error:
            raise _unreadable(path, number, line, error, run) from error
    return run


def read_whole(path: Path) -> tuple[RunFile, str]:
    """For readers who take what there is: the run, and what is wrong with it (mostly "")."""
    try:
        return read_run(path), ""
    except TruncatedRun as error:
        return error.whole, error.cause


def _read_header(path: Path, line: bytes, *, whole: bool) -> Header:
    envelope = _envelope(line)
    if envelope.get("record") != "header" or envelope.get("kind") != KIND:
        cause = f"{path} is not a loopgauge run file"
        if not line.strip():
            cause = f"{path} is empty"
        elif not whole:
            cause += ", or was cut off in its first line"
        raise NotARunFile(cause, "Give a file that `bench run` wrote (.bench/runs/*.jsonl)")
    _refuse_newer(path, 1, envelope)
    try:
        header = msgspec.json.decode(line, type=Header)
        if fault := fault_of_header(header):
            raise _Incoherent(fault)
        return header
    except (msgspec.DecodeError, _Incoherent) as error:
        raise NotARunFile(
            f"{path}, line 1: the header makes no sense ({error})", "Was the file edited?"
        ) from error


class _Incoherent(Exception):
    """A record that fits the schema, and makes no sense."""


def _coherent(record: AnyRecord) -> AnyRecord:
    if isinstance(record, Sample) and (fault := fault_of_sample(record)):
        raise _Incoherent(fault)
    return record


def _unreadable(
    path: Path, number: int, line: bytes, error: Exception, run: RunFile
) -> NewerSchema | TruncatedRun:
    envelope = _envelope(line)
    _refuse_newer(path, number, envelope)
    what = f"makes no sense ({error})" if envelope else "is not whole"
    before = f"{number - 1} lines before it are" if number > 2 else "line before it is"
    return TruncatedRun(
        f"{path}, line {number} {what}; the {before} good",
        f"Go on measuring with --resume {path}, or report on what is there",
        line=number,
        whole=run,
    )


def _refuse_newer(path: Path, number: int, envelope: dict[str, Any]) -> None:
    schema = envelope.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerSchema(
            f"{path}, line {number}: written with schema {schema}, this loopgauge reads up to "
            f"{SCHEMA}",
            "Update loopgauge: pip install -U loopgauge",
        )


def _envelope(line: bytes) -> dict[str, Any]:
    """The line as a plain object; {} where it is none."""
    try:
        decoded = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _is_last_line(path: Path, number: int) -> bool:
    data = path.read_bytes()
    return data.count(b"\n") == number - 1 and not data.endswith(b"\n")


def _cut_last_line(path: Path) -> None:
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)


def _end_last_line(path: Path) -> None:
    """Otherwise the next record would be appended to the last one's line, and spoil both."""
    if not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def _lock(fd: int, path: Path) -> None:
    """Two writers would give their processes the same numbers. The kernel drops the lock with the
    descriptor, however its owner ends; a device, or a file system without locks, does without."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PlaceTaken(
            f"{path} is being written by another bench that still runs",
            "Wait until it ends, or end it, then go on with --resume",
        ) from error
    except OSError:
        return


def _require_plain(path: Path) -> None:
    """Records are appended as lines, which behind a packed file nobody could read."""
    try:
        packed = is_packed(path)
    except OSError:
        return  # whoever reads it says why it cannot be read
    if packed:
        raise NotARunFile(
            f"{path} is packed, so that nothing can be added to it",
            "Unpack it first: gzip -d or xz -d",
        )


def _require_no_writer(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return  # whoever reads it says why it cannot be read
    try:
        _lock(fd, path)
    finally:
        os.close(fd)
