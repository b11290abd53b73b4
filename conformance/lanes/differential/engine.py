"""Runs generated programs on two loops and compares what they saw.

A family is a strategy for programs (data of JSON, so that they can be kept and read) and a function
that runs one on a new loop and returns its trace, also of JSON, in which only what asyncio
documents is ordered. What differs is looked at twice more before it counts, then made small.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loopgauge.conformance.lanes.differential import kept
from loopgauge.conformance.trial import LoopFactory, Mismatch, Trial

#: Seconds for a family: some seconds on an idle core, and time to make a program smaller.
SECONDS = 60.0

#: How often, and for how many seconds, smaller programs than one that differs are looked for.
SHRINKING, SHRINKING_S = 200, 20.0

MARK = "program: "


@dataclass(frozen=True)
class Family:
    """`programs` returns a strategy of Hypothesis, `trace` runs one program, closes its loop and
    returns what was seen; `count` programs are tried."""

    name: str
    programs: Callable[[], Any]
    trace: Callable[[LoopFactory, Any], Any]
    count: int


@dataclass
class Difference:
    program: Any
    wanted: Any
    observed: Any

    @property
    def size(self) -> int:
        return len(json.dumps(self.program))


class Differs(Exception):
    """Tells Hypothesis that a program is worth making smaller."""


@dataclass
class Search:
    """The programs of one family on the loop under test, beside stock."""

    family: Family
    factory: LoopFactory
    stock: LoopFactory = asyncio.SelectorEventLoop
    tried: int = 0
    smallest: Difference | None = None
    _again: int = 0
    _until: float = 0.0

    def replay(self) -> None:
        """What failed in former runs comes first."""
        for program in kept.programs(self.family.name):
            self._try(program)

    def generate(self, seed: int) -> None:
        """New ones, always the same for a seed. Raises what the loop raises."""
        import hypothesis

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=self.family.count,
            deadline=None,
            database=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
        )
        @hypothesis.given(program=self.family.programs())
        def differ(program: Any) -> None:
            if self.smallest is not None:
                self._again += 1
                if self._again > SHRINKING or time.monotonic() > self._until:
                    return
            if self._try(program):
                raise Differs

        with contextlib.suppress(Differs, hypothesis.errors.Flaky):
            differ()

    def _try(self, program: Any) -> bool:
        self.tried += 1
        found = self._difference(program)
        for _ in range(2):
            if found is None:
                return False
            found = self._difference(program)
        if found is None:
            return False
        if self.smallest is None:
            self._until = time.monotonic() + SHRINKING_S
        if self.smallest is None or found.size < self.smallest.size:
            self.smallest = found
        return True

    def _difference(self, program: Any) -> Difference | None:
        name_culprit(program)
        observed = self.family.trace(self.factory, program)
        wanted = self.family.trace(self.stock, program)
        return Difference(program, wanted, observed) if wanted != observed else None


def name_culprit(program: Any) -> None:
    """Leaves the program that is about to run as the only thing on standard output, for the case
    that the process does not survive it."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):  # not a file
        os.ftruncate(sys.stdout.fileno(), 0)
    print(MARK + json.dumps(program), flush=True)


def compare(t: Trial, family: Family, seed: int = 0) -> None:
    """The body of a family's question."""
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(t.directory / "hypothesis")  # not into the user's folder
    search = Search(family, t.factory)
    search.replay()
    if search.smallest is None:
        search.generate(seed)
    t.note("programs tried", search.tried)
    found = search.smallest
    if found is None:
        t.true("every program saw the same as on stock asyncio", True)
        return
    t.note("program", json.dumps(found.program))
    for what, wanted, observed in _differing(found.wanted, found.observed):
        t.observations.append((f"{what} of the smallest program that differs", wanted, observed))
    first = next(_differing(found.wanted, found.observed))
    raise Mismatch(
        f"{first[0]}: stock {first[1]}, here {first[2]}; program {json.dumps(found.program)}"
    )


def _differing(wanted: Any, observed: Any) -> Any:
    """Name, wanted and observed of the parts of a trace that differ."""
    if isinstance(wanted, dict) and isinstance(observed, dict):
        for name in sorted({*wanted, *observed}):
            if wanted.get(name) != observed.get(name):
                yield f"trace of {name}", repr(wanted.get(name)), repr(observed.get(name))
    else:
        yield "trace", repr(wanted), repr(observed)
