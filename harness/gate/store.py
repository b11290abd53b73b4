"""The gate's folder: one `gate.jsonl`, appended to, beside the files of its steps."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loopgauge.harness.errors import NotARunFile, StoreFull
from loopgauge.harness.gate.model import (
    GATE_SCHEMA,
    KIND,
    AnyGateRecord,
    GateHeader,
    GateResult,
    GateStep,
    Step,
)
from loopgauge.harness.packed import content, there
from loopgauge.harness.record_lines import whole_records
from loopgauge.harness.store import in_words

GATES = Path(".bench/gates")
FILE = "gate.jsonl"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyGateRecord)


@dataclass
class GateFile:
    """`result` is None as long as the gate has not come to an end."""

    folder: Path
    header: GateHeader
    steps: list[GateStep] = field(default_factory=list)
    result: GateResult | None = None

    def state(self, step: Step) -> str:
        """The newest word on a step; "" where it has not begun."""
        return next((one.state for one in reversed(self.steps) if one.step == step), "")

    def add(self, record: AnyGateRecord) -> None:
        if isinstance(record, GateStep):
            self.steps.append(record)
        elif isinstance(record, GateResult):
            self.result = record


def append(folder: Path, record: AnyGateRecord) -> None:
    """On disk when this returns. Raises StoreFull, and then leaves the file as it was."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _mend(path)
        with path.open("ab") as file:
            size = file.tell()
            try:
                file.write(_encoder.encode(record) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise
    except OSError as error:
        raise StoreFull(
            f"{path} cannot be written: {in_words(error)}",
            "Make room, then go on with bench gate --resume",
        ) from error


def require_plain(folder: Path) -> None:
    """Raises NotARunFile for a gate that was packed: records are appended as lines."""
    path = folder / FILE
    if (found := there(path)) != path:
        raise NotARunFile(
            f"{found} is packed, so that nothing can be added to it",
            f"Unpack the files of {folder} first: gzip -d or xz -d",
        )


def has_records(path: Path) -> bool:
    """Whether a step's file was begun. One that is empty is what a full disk left of its header."""
    return path.is_file() and path.stat().st_size > 0


def _mend(path: Path) -> None:
    """A last line that a kill cut counts for nobody, and must not spoil the next one."""
    text = path.read_bytes() if path.exists() else b""
    if not text or text.endswith(b"\n"):
        return
    start = text.rfind(b"\n") + 1
    try:
        _decode(text[start:])
    except msgspec.DecodeError:
        os.truncate(path, start)
    else:
        with path.open("ab") as file:
            file.write(b"\n")


def read_gate(folder: Path) -> GateFile:
    """Raises NotARunFile and NewerSchema. A last line that was cut is left out: the step it told
    of is done again."""
    path = there(folder / FILE) if folder.is_dir() else folder
    try:
        text = content(path)
    except OSError as error:
        raise NotARunFile(
            f"{path} cannot be read: {error.strerror or error}",
            "Name the folder of a gate, or latest",
        ) from error
    records = list(whole_records(path, text, _decode, GATE_SCHEMA, "a gate"))
    if not records or not isinstance(records[0], GateHeader):
        raise NotARunFile(f"{path} is no result of a gate: it is empty or has no header")
    found = GateFile(path.parent, records[0])
    for record in records[1:]:
        found.add(record)
    return found


def _decode(line: bytes) -> AnyGateRecord:
    record: AnyGateRecord = _decoder.decode(line)
    if record.kind != KIND:
        raise msgspec.ValidationError(f"a record of kind {record.kind!r}")
    return record
