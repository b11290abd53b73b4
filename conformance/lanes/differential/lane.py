"""Families of generated programs as questions; each family has a process of its own."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from functools import cache

from loopgauge.conformance.case import Case, programs_of
from loopgauge.conformance.lanes import Done, LaneMissing, Question, answer_with, questions_of
from loopgauge.conformance.lanes.differential import kept
from loopgauge.conformance.lanes.differential.engine import MARK
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool

HERE = "loopgauge.conformance.lanes.differential."
MODULES = ("callbacks", "timers", "fds", "streams", "datagrams", "tasks")


@cache
def _programs() -> list[Case]:
    return programs_of(*(HERE + module for module in MODULES))


def questions(python: tuple[int, ...]) -> list[Question]:
    if importlib.util.find_spec("hypothesis") is None:
        raise LaneMissing("Hypothesis is not installed: pip install 'loopgauge[conformance]'")
    return questions_of(_programs())


def answer(questions: Sequence[Question], target: Target, pool: Pool, done: Done) -> None:
    answer_with(_programs(), questions, target, pool, done)


def luggage() -> dict[str, str]:
    return kept.files()


def keep(question: Question, target: Target, outcome: Outcome) -> None:
    """The program that made the difference, or that the process did not survive."""
    notes = outcome.evidence.notes
    if outcome.verdict in ("HANG", "CRASH"):
        _, found, text = outcome.evidence.output.rpartition(MARK)
        program = text.partition("\n")[0]
        if not found:
            return
        outcome.reason += f"; program {program}"
        notes["program"] = program
    if outcome.verdict in ("FAIL", "HANG", "CRASH") and "program" in notes:
        try:
            program = json.loads(notes["program"])
        except ValueError:  # cut
            return
        path = kept.keep(question.id.partition(":")[2], program)
        notes["repro"] = f"python -m {HERE}replay {path} {target.factory}"
