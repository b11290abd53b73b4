"""How many rounds a run does: as planned, fewer where time runs short, more where it is left.

Only the clock is asked, never the data, so stopping favours no result. Rounds are whole: every
arm of every benchmark has the same number. (A gate looks at the data, at sizes that are set
beforehand and at a price: harness/gate/timing.py.)
"""

from __future__ import annotations

from typing import Protocol

from loopgauge.harness.model import Plan

OVERRUN = 1.1  # of the budget, before a planned round is left out


class Pacer(Protocol):
    def wants(self, done: int, measuring_s: float, elapsed_s: float) -> bool:
        """Whether another round should begin. `done` rounds are finished, those of this session
        in `measuring_s`; the session is `elapsed_s` old."""

    def told(self, done: int) -> str:
        """For a note in the file: why there were so many, where that is not as planned."""


class Pace:
    """`done`: rounds that an earlier session of the run finished."""

    def __init__(self, plan: Plan, done: int = 0) -> None:
        self._plan = plan
        self._least = plan.rounds_least or plan.rounds
        self._most = max(plan.rounds, plan.rounds_most)
        self._before = done

    def wants(self, done: int, measuring_s: float, elapsed_s: float) -> bool:
        if done < self._least:
            return True
        if done >= self._most:
            return False
        here = done - self._before
        per_round = measuring_s / here if here else self._plan.expected_s / self._plan.rounds
        limit = self._plan.budget_s * (OVERRUN if done < self._plan.rounds else 1.0)
        return elapsed_s + per_round <= limit

    def told(self, done: int) -> str:
        if done == self._plan.rounds:
            return ""
        return "time was left" if done > self._plan.rounds else "time ran short"
