"""The kinds of questions a loop is asked: our rules, CPython's own tests, generated programs, and
programs over popular libraries. Each lane lists its questions and answers them with outcomes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from loopgauge.conformance.case import Case
from loopgauge.conformance.model import Lane
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool


@dataclass(frozen=True)
class Question:
    """One thing a loop is asked. In the rules lane `id` is a case's; elsewhere it starts with the
    lane's name and a colon, and `rule`, `level` and `profile` are "". Questions of one `group` are
    asked in one process, and only together say whether it was the loop that was asked."""

    id: str
    description: str
    expected: str
    rule: str = ""
    level: str = ""
    profile: str = ""
    group: str = ""


Done = Callable[[Question, Outcome], None]


class LaneModule(Protocol):
    """What a module of this package provides."""

    def questions(self, python: tuple[int, ...]) -> list[Question]:
        """All of the lane that can be asked on this Python. Raises LaneMissing."""
        ...

    def answer(self, questions: Sequence[Question], target: Target, pool: Pool, done: Done) -> None:
        """Asks a loop; calls `done` once per question, from the calling thread."""
        ...

    def keep(self, question: Question, target: Target, outcome: Outcome) -> None:
        """Stores what is worth it beside the results, and says so in the evidence. Done where the
        command runs, wherever the question was asked."""
        ...

    def luggage(self) -> dict[str, str]:
        """Files below the working folder that the lane looks at, oldest first: path and text."""
        ...


class LaneMissing(Exception):
    """The lane needs something that is not installed here; the message says what and the cure."""


def keep_nothing(question: Question, target: Target, outcome: Outcome) -> None:
    """For a lane that leaves only its evidence."""


def no_luggage() -> dict[str, str]:
    """For a lane that looks at no file."""
    return {}


def questions_of(programs: Sequence[Case]) -> list[Question]:
    """Of a lane whose questions are programs (`case.program`)."""
    return [Question(id=p.id, description=p.description, expected=p.expected) for p in programs]


def answer_with(
    programs: Sequence[Case],
    questions: Sequence[Question],
    target: Target,
    pool: Pool,
    done: Done,
) -> None:
    """Runs the programs that are asked, each in a process of its own."""
    asked = {question.id: question for question in questions}
    chosen = [program for program in programs if program.id in asked]
    pool.run(chosen, target, lambda program, outcome: done(asked[program.id], outcome))


#: In the order in which they are run.
MODULES: dict[Lane, str] = {
    "rules": "loopgauge.conformance.lanes.rules",
    "cpython": "loopgauge.conformance.lanes.cpython.lane",
    "differential": "loopgauge.conformance.lanes.differential.lane",
    "ecosystem": "loopgauge.conformance.lanes.ecosystem.lane",
}


def lane_module(lane: Lane) -> LaneModule:
    module: LaneModule = importlib.import_module(MODULES[lane])
    return module
