"""How long a loop is waited for that hangs again and again, also where many ask it at once.

A loop that hangs in hundreds of cases would take hours. So the more often it has hung, the less
time it gets, and what is slow then counts as hung, too. Asked elsewhere, a batch knows only a part
of what stands before it: it waits longer rather than shorter, and `InOrder` gives what is slow the
verdict that it would have had, had one case been asked after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loopgauge.conformance.case import all_cases
from loopgauge.conformance.model import Lane
from loopgauge.conformance.runner.messages import Outcome

#: A loop that has hung so often gets so many seconds and no more: it would take for ever. The first
#: step is longer than `Trial.until` waits, so that what it calls a FAIL does not become a HANG.
STEPS = ((8, 6.5), (60, 2.5))

#: From the stack's being written to the kill.
KILL_AFTER_S = 1.0

#: Seconds for a test of CPython, and for one that may be wrong about the loop. The slowest takes
#: two on an idle core; what blocks on a wrong assumption blocks for ever.
TEST_S, EXCUSED_TEST_S = 25.0, 8.0

#: What is left of it for a loop that hangs all the time.
LEAST_TEST_S = 2.5


def case_seconds(seconds: float, hangs: int) -> float:
    """For a case of our rules that may take `seconds`."""
    return min([seconds, *(less for enough, less in STEPS if hangs >= enough)])


def test_seconds(seconds: float, hangs: int) -> float:
    """For a test of CPython: halved with every three hangs."""
    return max(LEAST_TEST_S, seconds * 0.5 ** (hangs // 3))


def limit(lane: Lane, question: str, hangs: int) -> float:
    """Seconds after which this question of `lane` has no other answer than HANG, for a loop that
    has hung so often before it. Programs are few, and long: they keep their time."""
    if lane == "rules":
        return case_seconds(all_cases()[question].seconds, hangs) + KILL_AFTER_S
    if lane == "cpython":
        return test_seconds(TEST_S, hangs)
    return math.inf


@dataclass
class InOrder:
    """Outcomes of `questions` on one loop, which come in any order. `hangs`: how often the loop has
    hung before the first of them. What is slow is held back until all are known."""

    lane: Lane
    questions: Sequence[str]
    hangs: int
    _place: dict[str, int] = field(init=False)
    _hung: set[int] = field(default_factory=set)
    _slow: dict[int, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place = {question: place for place, question in enumerate(self.questions)}

    @property
    def hung(self) -> int:
        """How many of them did."""
        return len(self._hung)

    def before(self, question: str) -> int:
        """How often the loop is known to have hung before this question: never more than it will
        turn out to be."""
        place = self._place[question]
        return self.hangs + sum(one < place for one in self._hung)

    def add(self, question: str, outcome: Outcome) -> bool:
        """Whether the outcome stands, whatever the others will be; else `settle` tells."""
        if outcome.verdict == "HANG":
            self._hung.add(self._place[question])
        elif outcome.duration_s > limit(self.lane, question, hangs=1 << 10):
            self._slow[self._place[question]] = outcome
            return False
        return True

    def settle(self, done: Callable[[str, Outcome], None]) -> None:
        """What was held back, once nothing is to come any more."""
        for place, outcome in sorted(self._slow.items()):
            question = self.questions[place]
            seconds = limit(self.lane, question, self.before(question))
            if outcome.duration_s > seconds and outcome.verdict not in ("INFO", "NOT_APPLICABLE"):
                outcome.reason = (
                    f"not finished after {seconds:g} s, which is what a loop gets that hangs so "
                    f"often; then {outcome.verdict}: {outcome.reason}"
                )
                outcome.verdict = "HANG"
                self._hung.add(place)
            done(question, outcome)
        self._slow.clear()
