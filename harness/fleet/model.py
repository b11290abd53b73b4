"""The records of `fleet.jsonl`: what was asked of a fleet, and how each of its hosts fared. What
was measured is in the hosts' own run files beside it.

No host is named in a result file, which may be published: a key and a hash tell them apart.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from loopgauge.harness.model import Record, Setting, Tier

FLEET_SCHEMA = 1
KIND = "fleet"
HostState = Literal["planned", "measuring", "done", "lost", "left_out"]


class Asked(msgspec.Struct, kw_only=True):
    """What every host is to measure; fields of RunRequest."""

    benchmarks: list[tuple[str, dict[str, Any]]]  # (scenario id, parameters)
    arms: list[str]
    setting: Setting
    tiers: list[Tier]
    natives: list[str] = []
    cpus: list[int] | None = None
    rounds: int | None = None  # None: by setting and budget


class FleetHeader(Record, tag="header", kw_only=True):
    schema: int = FLEET_SCHEMA
    kind: str = KIND
    run: str  # the folder's name
    created: str
    command: list[str] = msgspec.field(default_factory=list)
    seed: int  # of every host's schedule
    asked: Asked


class Package(msgspec.Struct, frozen=True):
    """What was installed on a host for a run; the hash is that of the wheel it came from."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+$", max_length=100)]
    version: Annotated[str, msgspec.Meta(pattern=r"^[\w.+!-]+$", max_length=100)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class FleetHost(Record, tag="host", kw_only=True):
    """The last one of a key counts. "measuring" where the command was ended, too: it goes on there.
    A host that was left out has no key of its own, and its hash stands for it."""

    schema: int = FLEET_SCHEMA
    kind: str = KIND
    key: str
    state: HostState
    utc: str = ""
    file: str = ""  # its run file, in the same folder; "" where nothing was begun
    name_hash: str = ""  # tells hosts apart without naming them
    reason: str = ""  # why it was lost or left out
    cpu_model: str = ""
    kernel: str = ""
    python: str = ""
    build_kind: str = ""
    build_hash: str = ""
    installed: list[Package] = msgspec.field(default_factory=list)


class FleetEvent(Record, tag="event", kw_only=True):
    schema: int = FLEET_SCHEMA
    kind: str = KIND
    event: Literal["resumed", "interrupted", "joined", "ended", "note"]
    utc: str = ""
    host: str = ""  # its key; "" where it concerns them all
    reason: str = ""


AnyFleetRecord = FleetHeader | FleetHost | FleetEvent
