"""The tiers that are counted instead of timed: a step of a run each, behind the timed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from loopgauge.harness.deterministic import tier as deterministic
from loopgauge.harness.isolation import Roster
from loopgauge.harness.memory import tier as memory
from loopgauge.harness.model import AnyRecord, Event, Header, Tier
from loopgauge.harness.pairs import Pair
from loopgauge.harness.store import RunFile


class Counted(Protocol):
    """A module."""

    def pending(self, file: RunFile, roster: Roster) -> list[Pair]:
        """What the file has no figures of yet."""

    def expected_s(self, pairs: Sequence[Pair]) -> float: ...

    def count(
        self,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        """For each pair its records, which belong together in the file. `record` is told what goes
        for all of them; `at` which benchmark and arm are at work, before every process."""


COUNTED: Mapping[Tier, Counted] = {"deterministic": deterministic, "memory": memory}


def tiers_of(header: Header) -> list[Counted]:
    """In the order in which they are done."""
    return [counted for tier, counted in COUNTED.items() if tier in header.tiers]
