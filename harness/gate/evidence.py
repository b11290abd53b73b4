"""What the decisions of a gate rest on, in the shape in which its page shows it.

Changes are shares, as in the decisions: 0.02 means that head takes 2 % more. Nothing here decides.
"""

from __future__ import annotations

import msgspec

from loopgauge.harness.explained import Explanation
from loopgauge.harness.gate.looks import Call
from loopgauge.harness.gate.model import Tier
from loopgauge.harness.model import Benchmark


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What some processes say of one benchmark. `level` is that of the interval: 0.9 is 90 %."""

    call: Call
    change: float
    low: float
    high: float
    level: float
    processes: int


class Timed(msgspec.Struct, kw_only=True):
    """Both stages of one benchmark, and base against its own copy in the samples that decided."""

    benchmark: Benchmark
    margin: float
    first: Figure | None = None
    second: Figure | None = None
    twin: Figure | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A function or a system call: what it takes of one operation on both sides."""

    name: str
    file: str = ""
    base: float
    head: float

    @property
    def change(self) -> float:
        return self.head - self.base


class Counted(msgspec.Struct, kw_only=True):
    """One count of one benchmark; `parts`: those that differ, the largest difference first."""

    benchmark: str
    tier: Tier
    unit: str
    base: float
    head: float
    parts: list[Part] = []


class Explained(msgspec.Struct, kw_only=True):
    """A benchmark that changed: base is the first of the explanation's loops, head the second.
    Differences are of functions that take at least a thousandth of either side."""

    explanation: Explanation
    functions: list[Part] = []  # machine code, in instructions
    python_functions: list[Part] = []  # in bytecodes


class Evidence(msgspec.Struct, kw_only=True):
    """`missing`: files that cannot be read, and what of them was used all the same."""

    timed: list[Timed] = []
    counted: list[Counted] = []
    explained: list[Explained] = []
    missing: list[str] = []
