"""aiohttp, websockets, uvicorn and anyio as questions; each program has a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from loopgauge.conformance.case import Case, programs_of
from loopgauge.conformance.lanes import (
    Done,
    Question,
    answer_with,
    keep_nothing,
    no_luggage,
    questions_of,
)
from loopgauge.conformance.runner.messages import Target
from loopgauge.conformance.runner.pool import Pool

HERE = "loopgauge.conformance.lanes.ecosystem."
MODULES = ("on_aiohttp", "on_websockets", "on_uvicorn", "on_anyio")

keep, luggage = keep_nothing, no_luggage


@cache
def programs() -> list[Case]:
    return programs_of(*(HERE + module for module in MODULES))


def questions(python: tuple[int, ...]) -> list[Question]:
    return questions_of(programs())


def answer(questions: Sequence[Question], target: Target, pool: Pool, done: Done) -> None:
    answer_with(programs(), questions, target, pool, done)
