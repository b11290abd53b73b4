"""Which machines a cluster has. A *host* is one machine with one Python and one build of loopgauge:
what may be measured together. Several workers of a cluster may be one host."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from loopgauge.harness.fleet.model import Package
from loopgauge.harness.model import Interpreter, Machine

NAME_MOST = 80  # characters


class HostFacts(msgspec.Struct, kw_only=True):
    """What a host says of itself. `utc_offset_s` is how far its clock is ahead of the command's."""

    machine: Machine
    interpreter: Interpreter
    boot_id: str
    source: str  # hash of loopgauge's own sources
    cpus: list[int] = []
    utc_offset_s: float = 0.0
    free_bytes: int = 0  # in its temporary folder
    lock_refused: str = ""  # why the machine's lock cannot be taken


class LeftOut(msgspec.Struct, kw_only=True):
    """A worker that is there and is not used."""

    name: str
    reason: str
    cure: str = ""


@dataclass
class Host:
    """`name` is what its first worker is called: for its user's eyes, never for a file.
    `workers` are Dask addresses, and change while the fleet is open."""

    key: str
    name: str
    facts: HostFacts
    executable: str  # the Python of its agents
    threads: int = 1  # of each worker
    workers: list[str] = field(default_factory=list)
    installed: list[Package] = field(default_factory=list)


class WorkerSeen(msgspec.Struct, kw_only=True):
    """What the scheduler says of a worker."""

    address: str
    name: str
    threads: int
    resources: dict[str, float] = {}


def host_key(facts: HostFacts) -> str:
    """Eight hexadecimal digits: the same for all workers whose figures may be put together. Tells
    neither the machine's name nor its address."""
    parts = (
        facts.boot_id,
        facts.machine.cpu_model,
        facts.machine.kernel,
        facts.interpreter.version,
        facts.interpreter.build_kind,
        facts.interpreter.build_hash,
        str(facts.interpreter.free_threaded),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def display_name(name: object, address: str) -> str:
    """As the user knows the worker. Whoever starts one may call it anything, so that what would
    move the cursor is left out. A LocalCluster numbers its workers."""
    text = f"local worker {name}" if isinstance(name, int) else str(name or address)
    return "".join(c for c in text if c.isprintable())[:NAME_MOST] or address


def among(hosts: Iterable[Host], facts: HostFacts) -> Host | None:
    key = host_key(facts)
    return next((host for host in hosts if host.key == key), None)
