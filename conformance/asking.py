"""Where the questions of a run are asked: in processes of this machine, or by others elsewhere."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from loopgauge.conformance import lanes
from loopgauge.conformance.lanes import Done, Question
from loopgauge.conformance.model import Lane
from loopgauge.conformance.runner.messages import Target
from loopgauge.conformance.runner.pool import Pool


class Asking(Protocol):
    """`together`: how many loops may be asked at a time, each from a thread of its own. `hangs`: by
    lane and loop, how often it hung before this run took it up (see `runner.patience`)."""

    together: int
    hangs: Counter[tuple[Lane, str]]

    def questions(self, lane: Lane) -> list[Question]:
        """All that can be asked there. Raises LaneMissing."""
        ...

    def answer(
        self, lane: Lane, questions: Sequence[Question], target: Target, done: Done
    ) -> list[str]:
        """Asks a loop; calls `done` from the calling thread, once for each question that could be
        asked. Returns why the others could not be, a line each."""
        ...

    def stop(self) -> None:
        """Makes every `answer` end soon with KeyboardInterrupt."""
        ...


class Here:
    """In processes of this machine."""

    together = 1

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.hangs = pool.hangs

    def questions(self, lane: Lane) -> list[Question]:
        return lanes.lane_module(lane).questions(sys.version_info[:3])

    def answer(
        self, lane: Lane, questions: Sequence[Question], target: Target, done: Done
    ) -> list[str]:
        lanes.lane_module(lane).answer(questions, target, self._pool, done)
        return []

    def stop(self) -> None:
        self._pool.close()
