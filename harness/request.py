"""What a run is asked to do, and what it reports while it does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopgauge.harness.budget import Limits
from loopgauge.harness.model import Design, Setting, Tier

REFERENCE = "asyncio"


@dataclass(frozen=True)
class RunRequest:
    """The reference (stock asyncio) and its A/A twin are added where missing."""

    benchmarks: Sequence[tuple[str, Mapping[str, Any]]] = ()  # (scenario id, parameters)
    arms: Sequence[str] = ()  # registered names or module:factory
    setting: Setting = "full"
    tiers: Sequence[Tier] = ("python",)
    natives: Sequence[str] = ()  # paths of further native backends
    seed: int | None = None  # None: drawn, and recorded
    design: Design | None = None  # None: as each scenario says
    cpus: Sequence[int] | None = None  # pin workers to these; None: all
    pythons: Sequence[str] = ()  # paths or versions; (): this one. Two or more: arms loop@python
    out: Path | None = None  # None: .bench/runs/<utc>-<id>.jsonl
    run: str = ""  # the run's name; "": that of its file
    resume: Path | None = None  # everything but this is then taken from the file
    path: Sequence[str] = ()  # additions to sys.path of the workers
    command: Sequence[str] = ()  # how the user asked for it; recorded
    rounds: int | None = None  # None: by setting and budget
    budget_s: float | None = None  # None: by setting
    limits: Limits | None = None  # None: by setting, and the two above
    equal_work: bool = False  # as many operations in a slot of every arm


@dataclass(frozen=True)
class Progress:
    """Sent before and after every step. Seconds are wall time."""

    phase: str  # "probe" | "measure" | "count"
    fraction: float  # of the whole run, 0 to 1, never falling
    elapsed_s: float
    remaining_s: float
    process: int = 0  # worker processes finished in this phase
    processes: int = 0  # and how many are planned
    benchmark: str = ""
    arm: str = ""
    notice: str = ""  # something happened that the user should know, one line
