"""A gate on a fleet: a folder with `gates.jsonl` beside the folder of an ordinary gate for each
host, named by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loopgauge.harness.errors import NotARunFile
from loopgauge.harness.fleet.model import FleetEvent, FleetHost
from loopgauge.harness.gate.model import Decision, Settings
from loopgauge.harness.model import Record
from loopgauge.harness.record_lines import whole_records

FILE = "gates.jsonl"
KEPT = "{}"  # a host's gate is the folder of its key
GATES_SCHEMA = 1
KIND = "fleet-gate"


class GatesHeader(Record, tag="header", kw_only=True):
    """`base` and `head` as the user wrote them: each host has its own sides, of the same words."""

    schema: int = GATES_SCHEMA
    kind: str = KIND
    gate: str
    created: str
    command: list[str] = msgspec.field(default_factory=list)
    seed: int
    settings: Settings
    base: str
    head: str
    benchmarks: list[str]


class Finding(msgspec.Struct, kw_only=True):
    """Something that fails the gate, and on which host (its key)."""

    host: str
    decision: Decision


class GatesResult(Record, tag="result", kw_only=True):
    """The last one counts. `hosts`: what the gate of each would say by itself, as exit code, with
    the error held over all hosts."""

    schema: int = GATES_SCHEMA
    kind: str = KIND
    utc: str = ""
    exit_code: int
    hosts: dict[str, int]
    findings: list[Finding]
    left_out: dict[str, str] = msgspec.field(default_factory=dict)  # hosts, and why


AnyGatesRecord = GatesHeader | FleetHost | FleetEvent | GatesResult

_decoder = msgspec.json.Decoder(AnyGatesRecord)


@dataclass
class GatesFile:
    folder: Path
    header: GatesHeader
    hosts: dict[str, FleetHost] = field(default_factory=dict)
    result: GatesResult | None = None

    def folders(self) -> Mapping[str, Path]:
        """Of the hosts' gates that were begun, by key."""
        return {key: self.folder / one.file for key, one in self.hosts.items() if one.file}


def is_gates(folder: Path) -> bool:
    return (folder / FILE).is_file()


def read_gates(folder: Path) -> GatesFile:
    """Raises NotARunFile and NewerSchema. A last line that was cut never counted."""
    path = folder / FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise NotARunFile(
            f"{path} cannot be read: {error.strerror or error}",
            "Name the folder of a gate on a fleet, or latest",
        ) from error
    found: GatesFile | None = None
    for record in whole_records(path, text, _decode, GATES_SCHEMA, "a gate on a fleet"):
        if isinstance(record, GatesHeader):
            found = GatesFile(folder, record)
        elif found is not None and isinstance(record, FleetHost):
            found.hosts[record.key] = record
        elif found is not None and isinstance(record, GatesResult):
            found.result = record
    if found is None:
        raise NotARunFile(f"{path} is no gate on a fleet: it is empty or has no header")
    return found


def _decode(line: bytes) -> AnyGatesRecord:
    record: AnyGatesRecord = _decoder.decode(line)
    if isinstance(record, FleetHost) and record.file not in ("", record.key):
        raise msgspec.ValidationError(f"a gate outside of the folder: {record.file!r}")
    return record
