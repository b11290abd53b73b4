"""Writes `fleet.jsonl`, or `gates.jsonl` of a gate, while the hosts are at work, each in a thread
of its own."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from loopgauge.harness import environment
from loopgauge.harness.fleet.folder import FILE
from loopgauge.harness.fleet.model import FleetEvent, FleetHost, HostState
from loopgauge.harness.model import Record
from loopgauge.harness.store import RunWriter

# A numeric address, and a path that begins a word.
PRIVATE = re.compile(
    r"(?:[a-z]+://)?\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w./…])/[^\s:;,()'\"]+"
)

if TYPE_CHECKING:
    from loopgauge.harness.fleet.hosts import Host, LeftOut


class Register:
    """Owns the file, and is its only writer. Raises StoreFull and PlaceTaken."""

    def __init__(self, folder: Path, file: str = FILE, kept: str = "{}.jsonl") -> None:
        """`kept`: what is kept of a host, by its key."""
        self.folder = folder
        self._kept = kept
        self._writer = RunWriter(folder / file)
        self._lock = threading.Lock()
        self._known: dict[str, FleetHost] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def append(self, record: Record) -> None:
        with self._lock:
            self._writer.append([record])
            if isinstance(record, FleetHost):
                self._known[record.key] = record

    def host(self, host: Host, state: HostState, reason: str = "") -> None:
        """Where a host stands; its file is named from when it is begun."""
        known = self._known.get(host.key) or described(host)
        file = self._kept.format(host.key) if state == "measuring" else known.file
        self.append(
            msgspec.structs.replace(
                known,
                state=state,
                utc=environment.utc_now(),
                file=file,
                reason=discreet(reason, host.name),
            )
        )

    def know(self, known: FleetHost) -> None:
        """What an earlier session wrote."""
        self._known[known.key] = known

    def absent(self, known: FleetHost) -> None:
        reason = "the cluster has no worker on this host any more"
        self.append(
            msgspec.structs.replace(known, state="lost", utc=environment.utc_now(), reason=reason)
        )

    def left_out(self, one: LeftOut) -> None:
        reason = discreet(". ".join(part for part in (one.reason, one.cure) if part), one.name)
        hashed = name_hash(one.name)
        self.append(
            FleetHost(
                key=hashed,
                state="left_out",
                utc=environment.utc_now(),
                name_hash=hashed,
                reason=reason,
            )
        )

    def event(
        self,
        kind: Literal["resumed", "interrupted", "joined", "ended", "note"],
        host: str = "",
        reason: str = "",
    ) -> None:
        self.append(FleetEvent(event=kind, utc=environment.utc_now(), host=host, reason=reason))


def described(host: Host) -> FleetHost:
    machine, interpreter = host.facts.machine, host.facts.interpreter
    return FleetHost(
        key=host.key,
        state="planned",
        name_hash=name_hash(host.name),
        cpu_model=machine.cpu_model,
        kernel=machine.kernel,
        python=interpreter.version,
        build_kind=interpreter.build_kind,
        build_hash=interpreter.build_hash,
        installed=host.installed,
    )


def name_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def discreet(text: str, name: str) -> str:
    """For a file that may be published: what the worker is called, its address and its folders
    stay with its user."""
    text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "the host", text) if name else text
    return PRIVATE.sub("…", text)
