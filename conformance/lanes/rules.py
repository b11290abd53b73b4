"""Our own cases: see loopgauge.conformance.case."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from loopgauge.conformance.case import Case, all_cases
from loopgauge.conformance.lanes import Done, Question, keep_nothing, no_luggage
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool

keep, luggage = keep_nothing, no_luggage


def questions(python: tuple[int, ...]) -> list[Question]:
    """Every case; those that do not bind on this Python are answered without being run."""
    return [_question(case) for case in all_cases().values()]


def answer(questions: Sequence[Question], target: Target, pool: Pool, done: Done) -> None:
    python = sys.version_info[:3]
    asked: list[Case] = []
    for question in questions:
        case = all_cases()[question.id]
        if case.binds(python):
            asked.append(case)
        else:
            done(question, Outcome(verdict="NOT_APPLICABLE", reason=_binding(case)))
    pool.run(asked, target, lambda case, outcome: done(_question(case), outcome))


def _binding(case: Case) -> str:
    until = f" to {case.until}" if case.until else " on"
    return f"binds from Python {case.since}{until}"


def _question(case: Case) -> Question:
    return Question(
        id=case.id,
        description=case.description,
        expected=case.expected,
        rule=case.rule.id,
        level=case.rule.level,
        profile=case.profile,
    )
