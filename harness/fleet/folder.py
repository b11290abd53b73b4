"""A fleet run's folder: `fleet.jsonl`, appended to, beside a run file for each host."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loopgauge.harness import environment
from loopgauge.harness.errors import NotARunFile, RunFileError
from loopgauge.harness.fleet.model import (
    FLEET_SCHEMA,
    KIND,
    AnyFleetRecord,
    FleetEvent,
    FleetHeader,
    FleetHost,
)
from loopgauge.harness.packed import content, there
from loopgauge.harness.record_lines import whole_records
from loopgauge.harness.store import RunFile, read_whole

FLEETS = Path(".bench/fleets")
FILE = "fleet.jsonl"

_decoder = msgspec.json.Decoder(AnyFleetRecord)


@dataclass
class FleetFile:
    """`path` is the folder. `hosts` and `runs` are by key; `problems` says of some of the runs what
    is wrong with their files."""

    path: Path
    header: FleetHeader
    hosts: dict[str, FleetHost] = field(default_factory=dict)
    events: list[FleetEvent] = field(default_factory=list)
    runs: dict[str, RunFile] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Every host that was to measure has done so."""
        wanted = [host for host in self.hosts.values() if host.state != "left_out"]
        return bool(wanted) and all(host.state == "done" for host in wanted)

    def add(self, record: AnyFleetRecord) -> None:
        if isinstance(record, FleetHost):
            if record.state != "left_out":  # one that was left out before, and is fit now
                self.hosts.pop(record.name_hash, None)
            self.hosts[record.key] = record
        elif isinstance(record, FleetEvent):
            self.events.append(record)

    def run_path(self, host: FleetHost) -> Path:
        return self.path / host.file


def new_folder() -> Path:
    """Sorts by time; the random part keeps two runs of one second apart."""
    stamp = environment.utc_now().replace(":", "").replace("-", "")
    return FLEETS / f"{stamp}-{secrets.token_hex(3)}"


def is_fleet(path: Path) -> bool:
    """A folder of a fleet run, or the file in it that says what was asked."""
    return fleet_file(path).is_file()


def fleet_file(path: Path) -> Path:
    """Whether it is there or not; `path` may be the folder or the file."""
    if path.name.startswith(FILE) and not path.is_dir():
        return path
    return there(path / FILE)


def read_fleet(path: Path) -> FleetFile:
    """With all runs, of which each is what could be read of it. Raises NotARunFile and
    NewerSchema."""
    found = read_register(path)
    found.runs = dict(each_run(found))
    return found


def each_run(found: FleetFile) -> Iterator[tuple[str, RunFile]]:
    """One after the other, so that they need not all be in memory. Fills `problems`."""
    for key, host in found.hosts.items():
        file = there(found.run_path(host)) if host.file else None
        if file is None or not file.is_file():
            continue
        try:
            run, problem = read_whole(file)
        except RunFileError as error:
            found.problems[key] = error.cause
            continue
        if problem:
            found.problems[key] = problem
        yield key, run


def read_register(path: Path) -> FleetFile:
    """Without the runs. A last line that a kill cut is left out: it never counted as recorded."""
    file = fleet_file(path)
    try:
        text = content(file)
    except OSError as error:
        raise NotARunFile(
            f"{file} cannot be read: {error.strerror or error}",
            "Name the folder of a fleet run (.bench/fleets/...), or latest",
        ) from error
    records = list(whole_records(file, text, _decode, FLEET_SCHEMA, "a fleet run"))
    if not records or not isinstance(records[0], FleetHeader):
        raise NotARunFile(f"{file} is no fleet run: it is empty or has no header")
    found = FleetFile(file.parent, records[0])
    for record in records[1:]:
        found.add(record)
    return found


def _decode(line: bytes) -> AnyFleetRecord:
    record: AnyFleetRecord = _decoder.decode(line)
    if record.kind != KIND:
        raise msgspec.ValidationError(f"a record of kind {record.kind!r}")
    if record.schema > FLEET_SCHEMA:  # what it says may mean something else by then
        raise msgspec.ValidationError(f"schema {record.schema}")
    if isinstance(record, FleetHost) and record.file != Path(record.file).name:
        raise msgspec.ValidationError(f"a host's file outside of the folder: {record.file!r}")
    return record
