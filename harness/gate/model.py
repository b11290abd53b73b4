"""What a gate is asked, what it decides, and how both are written down.

`gate.jsonl` holds a `GateHeader`, a `GateStep` for every step that began, ended or was left out,
and a `GateResult`, in the envelope of run files with the kind "gate". Changes are ratios of costs
minus one: 0.02 means that the head takes 2 % more. None stands for "no figure".
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from loopgauge.harness.model import Environment, Record

GATE_SCHEMA = 2  # 2: the step "explanation"
KIND = "gate"

Origin = Literal["factory", "revision", "wheel", "environment"]
Step = Literal[
    "promises",
    "counts",
    "timing",
    "confirmation",
    "tests timing",
    "tests confirmation",
    "explanation",
]
Tier = Literal["promises", "instructions", "syscalls", "allocations", "timing"]
Verdict = Literal[
    "REGRESSED",  # worse by more than the margin, twice
    "IMPROVED",  # better by more than the margin, twice
    "EQUIVALENT",  # the interval lies within the margin
    "INCONCLUSIVE",  # none of the three: no pass, and no fail
    "EXPECTED",  # regressed, and the settings say so and why
    "BROKEN",  # base can, head cannot: it crashes, hangs, is wrong, or breaks a rule
    "REPAIRED",  # the other way round
    "ADDED",  # only head has it: there is nothing to compare it with
    "REMOVED",  # only base has it
]
FAILING: frozenset[Verdict] = frozenset({"REGRESSED", "BROKEN"})


class Expected(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A change that is meant. `benchmark` is a glob over benchmark ids; it covers regressions of up
    to `at_most` (1.0: 100 %; None: of any size), until the end of the day `expires` (ISO)."""

    benchmark: str
    reason: str
    expires: str
    at_most: float | None = None


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`[tool.loopgauge.gate]`, the command line laid over it. Margins are shares: 0.01 is 1 %."""

    loop: str = ""  # registered name or module:factory; of both sides
    # Families, scenarios, globs, ids, module:coroutine, pytest:ARGUMENT; []: the default ones.
    benchmarks: list[str] = []
    margin: float = 0.01
    margins: dict[str, float] = {}  # glob over benchmark ids -> margin; the last that fits
    minutes: float = 5.0  # for the timing, both stages
    conformance: bool = True
    areas: list[str] = []  # of its rules; []: all
    deterministic: bool = True  # instructions, system calls, allocations
    instructions_margin: float = 0.003
    timing: bool = True
    explain: bool = True  # what changed, where it is counted, too
    build: str = ""  # command that installs a side, `{python}` and `{source}` filled in
    expected: list[Expected] = []

    def margin_of(self, benchmark: str) -> float:
        """The last of `margins` that fits, else `margin`."""
        fitting = [self.margins[name] for name in self.margins if fnmatchcase(benchmark, name)]
        return fitting[-1] if fitting else self.margin


class Side(msgspec.Struct, kw_only=True):
    """Base or head, ready to be measured."""

    name: Literal["base", "head"]
    origin: Origin
    given: str  # as the user wrote it
    loop: str  # registered name or module:factory
    executable: str  # the interpreter that can import it
    path: list[str] = []  # additions to sys.path
    commit: str = ""  # of a revision
    version: str = ""  # of the loop's or the project's distribution
    content: str = ""  # sha256 of what was built or installed, where there is such a thing
    source: str = ""  # folder of a revision's tree, its tests included

    @property
    def title(self) -> str:
        if self.commit == self.given:
            return self.given[:10]
        return f"{self.given} ({self.commit[:10]})" if self.commit else self.given


class Decision(msgspec.Struct, kw_only=True):
    """One thing that was compared. `subject`: a benchmark id, or a conformance case."""

    tier: Tier
    subject: str
    verdict: Verdict
    change: float | None = None  # of head against base
    low: float | None = None  # its interval
    high: float | None = None
    margin: float | None = None
    base: float | None = None  # cost per operation: ns, the scenario's value, or a count
    head: float | None = None
    unit: str = ""
    processes: int = 0  # per side, that the verdict rests on
    stage: int = 1  # 2: judged on fresh samples
    reason: str = ""  # why, in one line; of an expected change, the settings' reason
    by_name: dict[
        str, float
    ] = {}  # counts: what changed most (system calls, functions), head - base


class GateHeader(Record, tag="header", kw_only=True):
    schema: int = GATE_SCHEMA
    kind: str = KIND
    gate: str
    created: str
    command: list[str] = msgspec.field(default_factory=list)
    seed: int
    settings: Settings
    base: Side
    head: Side
    benchmarks: list[str] = msgspec.field(default_factory=list)  # ids, of both sides
    added: list[str] = msgspec.field(default_factory=list)  # only head has them
    removed: list[str] = msgspec.field(default_factory=list)  # only base has them
    tests: list[str] = msgspec.field(default_factory=list)  # arguments of pytest
    environment: Environment = msgspec.field(default_factory=Environment)


class GateStep(Record, tag="step", kw_only=True):
    schema: int = GATE_SCHEMA
    kind: str = KIND
    step: Step
    state: Literal["begun", "done", "left_out", "interrupted"]
    utc: str = ""
    reason: str = ""


class GateResult(Record, tag="result", kw_only=True):
    """The last one in the file counts: a gate that is resumed writes another."""

    schema: int = GATE_SCHEMA
    kind: str = KIND
    utc: str = ""
    exit_code: int
    decisions: list[Decision]  # failing ones first
    self_check: str = ""
    advisory: bool = False  # base differs from itself: timing verdicts do not fail the gate
    notes: list[str] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(
        default_factory=list
    )  # asked for, and not done: one line each
    wall_s: float = 0.0


AnyGateRecord = GateHeader | GateStep | GateResult
