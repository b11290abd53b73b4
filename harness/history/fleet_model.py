"""What a store says of loops over many hosts. Figures are ratios to the reference, below 1 is
better; nothing here is measured together but on one host in one run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from loopgauge.harness.families import Kind
from loopgauge.harness.fleet.combining import Combined
from loopgauge.harness.history.model import MachineKind

HOSTS_OF_DAYS = 20  # of each Python: trends are of those with the most runs


@dataclass(frozen=True)
class StoredHost:
    """A host in this sense is one machine with one kernel and Python. `host`: its hash, "" where a
    run does not tell, which makes all such runs of one kind those of one host."""

    host: str
    machine: MachineKind


def python_of(machine: MachineKind) -> str:
    """ "3.14", and "3.14t" of a build without the GIL, which is another Python to a loop."""
    short = ".".join(machine.python.split(".")[:2])
    return f"{short}t" if "nogil" in machine.build_kind else short


def python_number(python: str) -> tuple[list[int], str]:
    """3.9 comes before 3.14, and that before 3.14t."""
    return [int(part) for part in re.findall(r"\d+", python)], python


@dataclass(frozen=True)
class Counts:
    """Hosts with a figure, and those of them whose own says faster or slower, by more than the
    margin and with the error held over all hosts."""

    hosts: int
    faster: int
    slower: int
    failing: int = 0  # were asked, and have no valid figure
    other: int = 0  # measured other benchmarks of the family
    thin: int = 0  # have too few processes for an interval

    @property
    def both_ways(self) -> bool:
        """Faster here and slower there: what no mean may hide."""
        return bool(self.faster and self.slower)


@dataclass(frozen=True)
class Over:
    """One figure over hosts. `odd`: unlike the others, and not in the estimate."""

    combined: Combined
    counts: Counts
    odd: tuple[StoredHost, ...] = ()

    @property
    def estimate(self) -> float:
        return math.exp(self.combined.estimate)

    @property
    def low(self) -> float:
        return math.exp(self.combined.low)

    @property
    def high(self) -> float:
        return _exp(self.combined.high)

    @property
    def known(self) -> bool:
        return self.combined.hosts > 0

    @property
    def bounded(self) -> bool:
        """Two hosts may differ so much that nothing can be said."""
        return self.known and self.low > 0 and math.isfinite(self.high)

    @property
    def next_host(self) -> tuple[float, float] | None:
        """Where the figure of one more host is to be expected; None where too few tell."""
        low, high = self.combined.prediction_low, self.combined.prediction_high
        return (math.exp(low), _exp(high)) if math.isfinite(low) and math.isfinite(high) else None

    @property
    def verdict(self) -> str:
        """Of what is estimated, not of each host."""
        if not self.known or math.isnan(self.combined.low):
            return ""
        if self.combined.high < 0:
            return "faster"
        return "slower" if self.combined.low > 0 else "inconclusive"


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


@dataclass(frozen=True)
class Line:
    """A benchmark, or the geometric mean of a family's, of one loop in one version. Pythons are
    draws of nothing, so that there is a figure over the hosts of each, and none over all."""

    name: str
    kind: Kind | None  # None: neither time per operation nor waiting
    benchmarks: tuple[str, ...]
    everywhere: Counts
    pythons: dict[str, Over]
    kinds: dict[MachineKind, Over] = field(default_factory=dict)

    def opposite(self, python: str) -> list[MachineKind]:
        """Kinds of machine with a host that says the opposite of what most of that Python say."""
        counts = self.pythons[python].counts
        mostly_faster = counts.faster >= counts.slower
        return [
            kind
            for kind, over in self.kinds.items()
            if python_of(kind) == python
            and (over.counts.slower if mostly_faster else over.counts.faster)
        ]

    @property
    def odd(self) -> list[StoredHost]:
        return [host for over in self.pythons.values() for host in over.odd]


@dataclass(frozen=True)
class StoredLoop:
    """`hosts`: with any figure of this version."""

    loop: str
    version: str
    hosts: int
    main: bool  # the version on the most hosts: the one that is compared with other loops
    families: list[Line]
    benchmarks: list[Line]

    @property
    def name(self) -> str:
        return f"{self.loop} {self.version}".strip()

    @property
    def pythons(self) -> list[str]:
        """That any line has, the newest first."""
        found = {python for line in (*self.families, *self.benchmarks) for python in line.pythons}
        return sorted(found, key=python_number, reverse=True)

    @property
    def kinds(self) -> list[MachineKind]:
        found = {kind for line in self.families for kind in line.kinds}
        return sorted(found, key=lambda kind: kind.title)


@dataclass(frozen=True)
class Lead:
    """Who is the first in a family on some hosts. `shares` are not separated from it; `behind` is
    the cost of the next one, `next`, relative to it, over the hosts that have both. `ahead`: hosts
    where it is in front by its figure; `beaten`: where another one clearly is, and who where."""

    family: str
    kind: Kind
    hosts: int
    first: str
    over: Over | None  # relative to the reference; None of the reference itself
    shares: list[str]
    next: str
    behind: Over | None
    ahead: int
    beaten: int
    beaten_by: dict[str, list[MachineKind]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Who leads on the hosts of one Python, or of one kind of machine, which `machine` is then."""

    python: str
    machine: MachineKind | None
    hosts: int
    leads: list[Lead]


@dataclass(frozen=True)
class Summary:
    """Of a whole store, or of one loop in it. `newest`, `oldest`: when the runs that count were
    made."""

    hosts: int
    runs: int
    oldest: str
    newest: str
    loops: list[StoredLoop]
    pythons: list[Section]
    kinds: list[Section]
    strange: int  # series relative to something else than the reference, which are left out
    advisory: int  # of the runs: stock asyncio differed from its own copy
    unknown: int  # kinds of machine with runs that do not tell their host

    def of(self, loop: str) -> list[StoredLoop]:
        return [one for one in self.loops if one.loop == loop]


@dataclass(frozen=True)
class Days:
    """A loop's figure in a family over the hosts of a Python that measured on each day."""

    python: str
    family: str
    kind: Kind
    loop: str
    days: dict[str, Over]
