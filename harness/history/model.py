"""What the history keeps of a run, and what it can be asked.

A *series* is one metric of one benchmark and loop on one kind of machine; its *points* are runs.
Versions and builds of the loop are the points' own, because their effect is what a trend shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from loopgauge.harness.model import Direction

if TYPE_CHECKING:  # looking at a trend needs no numpy, which takes as long as asking for it
    from loopgauge.harness.families import FamilyArm, FamilySummary

Kind = Literal["run", "gate"]
Outcome = Literal[
    "added",
    "known",  # the same run with the same content was there
    "grown",  # the run was resumed since: its figures take the place of the stored ones
    "differs",  # another file claims to be the same run: left as it was
]

RATIO = "ratio"  # cost over the cost of the reference in the same processes: below 1 is better
COST = "cost"  # per operation: ns, or the benchmark's unit


class MachineKind(msgspec.Struct, frozen=True, kw_only=True):
    """Figures are put in one line only where all of these agree."""

    cpu_model: str
    kernel: str
    python: str  # full version
    build_kind: str  # how that Python was built

    @property
    def key(self) -> str:
        """Short enough to type, and the same in every store."""
        parts = "\0".join((self.cpu_model, self.kernel, self.python, self.build_kind))
        return hashlib.sha256(parts.encode()).hexdigest()[:8]

    @property
    def title(self) -> str:
        build = f" ({self.build_kind})" if self.build_kind else ""
        return f"{self.cpu_model or 'unknown CPU'}, {self.kernel}, Python {self.python}{build}"


class SeriesKey(msgspec.Struct, frozen=True, kw_only=True):
    benchmark: str
    loop: str  # registered name or module:factory
    metric: str  # "ratio", "cost", or what was counted: "instructions", "syscalls", "rss"
    against: str = ""  # of a ratio: the loop it was measured against; "base" in a gate
    unit: str = ""
    direction: Direction = "lower"  # which way is better
    machine: MachineKind


class Entry(msgspec.Struct, kw_only=True):
    """One point to be. `value` is None where the loop failed: `status` then says how."""

    series: SeriesKey
    arm: str
    value: float | None = None
    low: float | None = None  # 95 % interval over processes; None where there is none
    high: float | None = None
    processes: int = 0
    version: str = ""  # of the loop
    build: str = ""  # hash of what was measured, where the version does not tell
    commit: str = ""
    status: str = "ok"


class StoredRun(msgspec.Struct, kw_only=True):
    """A run file in short. `content` is the SHA-256 of its first `size` bytes: run files are only
    appended to, so a resumed one begins with what was stored, and says so in `replaces`."""

    run: str
    kind: Kind = "run"
    name: str  # of the file
    created: str  # UTC, ISO 8601 with a Z: sorts as text
    setting: str = ""
    loopgauge: str = ""  # version that measured
    complete: bool = True
    advisory: bool = False  # the run's self-check failed
    content: str
    size: int
    replaces: str = ""  # `content` of the stored one that it continues
    host: str = ""  # a hash that tells machines apart without naming them
    entries: list[Entry]


class Content(msgspec.Struct, frozen=True):
    """What a stored run was made of."""

    sha256: str
    size: int


class Point(msgspec.Struct, kw_only=True):
    run: str
    created: str
    arm: str
    value: float | None
    low: float | None
    high: float | None
    processes: int
    version: str
    build: str
    commit: str
    status: str
    advisory: bool
    complete: bool


class Series(msgspec.Struct, kw_only=True):
    key: SeriesKey
    points: list[Point]  # oldest first


class FamilyPoint(msgspec.Struct, kw_only=True):
    """What one run says of one loop in one family. Points of one machine kind and one yardstick
    (`against`) tell of the same thing where the families' `compared` benchmarks are the same."""

    machine: MachineKind
    loop: str  # registered name or module:factory
    version: str
    build: str  # hash, where the version does not tell
    against: str  # what its ratio is to
    family: FamilySummary
    figure: FamilyArm


class MachineRow(msgspec.Struct, kw_only=True):
    machine: MachineKind
    runs: int
    first: str
    last: str


class Names(msgspec.Struct):
    """Of all series there are."""

    benchmarks: list[str]
    loops: list[str]
    metrics: list[str]


class Query(msgspec.Struct, kw_only=True):
    """Empty fields ask for everything. Patterns are globs; a benchmark's also fits the part behind
    the family ("sleep0"), a machine's its key or a part of its title."""

    benchmarks: list[str] = []
    loops: list[str] = []
    metrics: list[str] = []
    machines: list[str] = []
    last: int | None = None  # newest points of each series; None: all


class History(Protocol):
    """A store. Raises StoreBusy, StoreFull, StoreUnusable, StoreLost and NotAHistory
    (harness.errors); a call that raises has changed nothing."""

    def add(self, runs: Iterable[StoredRun]) -> list[Outcome]:
        """All of them, or none."""

    def content(self, run: str) -> Content | None:
        """Of a stored run; None where there is none of that name."""

    def names(self) -> Names: ...

    def machines(self, query: Query | None = None) -> list[MachineRow]:
        """The one that measured last comes first. `query`: of those that have such series."""

    def keys(self, query: Query) -> list[SeriesKey]:
        """By benchmark, loop and metric."""

    def series(self, query: Query) -> list[Series]:
        """As `keys`, with their points; those without any are left out."""

    def rows(self, query: Query) -> Iterator[dict[str, Any]]:
        """Every point with its series and run, flat, for an export; `last` is not looked at."""

    def close(self) -> None: ...
