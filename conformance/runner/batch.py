"""A batch of questions for another process, which may be on another machine: what it is told, how
it answers, and what of its answer is believed. All of it is JSON."""

from __future__ import annotations

import atexit
import contextlib
import errno
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loopgauge.conformance import lanes
from loopgauge.conformance.lanes import Question
from loopgauge.conformance.model import Lane
from loopgauge.conformance.runner.messages import Outcome, Target, encoded
from loopgauge.conformance.runner.pool import Pool

#: Bytes that must be free for the folders of cases: without them what a case has to say is lost,
#: and it would be taken for crashed.
LEAST_FREE = 16 << 20

#: Bytes of an answer, per question. The evidence of a case is cut to well below it.
LARGEST = 4 << 20


class Batch(msgspec.Struct, kw_only=True):
    """Ask one loop these questions, one after the other. `variables` are set for the cases, `path`
    comes first where they look for modules; `hangs`: how often the loop has hung before
    (`runner.patience`); `files`: what the lane finds in the working folder, the oldest first."""

    lane: Lane
    questions: list[str]
    target: Target
    variables: dict[str, str] = {}
    path: list[str] = []
    hangs: int = 0
    files: dict[str, str] = {}


class Answer(msgspec.Struct, kw_only=True):
    question: str
    outcome: Outcome


class BadAnswer(Exception):
    """What came back is no answer to what was asked; the message says why not."""


def perform(payload: bytes) -> bytes:
    """On the other side: asks a `Batch`, and returns a list of `Answer`. Raises LaneMissing,
    OSError for a full disk, and LookupError for a question that is not known there."""
    require_room(Path(tempfile.gettempdir()))
    batch = msgspec.json.decode(payload, type=Batch)
    module = lanes.lane_module(batch.lane)
    known = {question.id: question for question in module.questions(sys.version_info[:3])}
    answers: list[Answer] = []

    def done(question: Question, outcome: Outcome) -> None:
        answers.append(Answer(question=question.id, outcome=outcome))

    pool, folder = _rooms.of(batch.variables, batch.path)
    _unpack(batch.files, folder)
    pool.hangs.clear()
    pool.hangs[batch.lane, batch.target.name] = batch.hangs
    module.answer([known[name] for name in batch.questions], batch.target, pool, done)
    return encoded(answers)


def require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        raise OSError(
            errno.ENOSPC,
            f"its disk is full, with {free >> 20} MiB left in {folder}: make room there",
        )


def checked(payload: object, questions: Sequence[str]) -> list[Answer]:
    """The answers to just these questions, in any order. Raises BadAnswer."""
    if not isinstance(payload, bytes):
        raise BadAnswer(f"the answer is no bytes: {type(payload).__name__}")
    if len(payload) > LARGEST * len(questions):
        raise BadAnswer(f"the answer has {len(payload)} bytes for {len(questions)} questions")
    try:
        answers = msgspec.json.decode(payload, type=list[Answer])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer(_plain(f"the answer cannot be read: {error}")[:300]) from error
    named = [answer.question for answer in answers]
    if sorted(named) != sorted(questions):
        raise BadAnswer("the answer is about other questions than were asked")
    for answer in answers:
        outcome = answer.outcome
        if not (math.isfinite(outcome.duration_s) and outcome.duration_s >= 0):
            raise BadAnswer(f"{answer.question} took {outcome.duration_s:g} s")
        outcome.reason = _plain(outcome.reason)
        outcome.evidence.missing = _plain(outcome.evidence.missing)
    return answers


def _plain(text: str) -> str:
    """What a terminal shows must not steer it, when others write it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class _Rooms:
    """The processes that ask, kept for the next batch: starting them takes longer than a case. Only
    those of the newest circumstances are kept. They end with this process, whose end closes their
    pipes."""

    def __init__(self) -> None:
        self._key: tuple[dict[str, str], list[str]] | None = None
        self._room: tuple[Pool, Path] | None = None
        self._open = contextlib.ExitStack()
        atexit.register(self._open.close)

    def of(self, variables: dict[str, str], path: list[str]) -> tuple[Pool, Path]:
        if self._room is None or (variables, path) != self._key:
            self._room = None
            self._open.close()
            folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="lg-")))
            pool = self._open.enter_context(Pool(1, variables, path, folder))
            self._room = pool, folder
            self._key = variables, path
        return self._room


_rooms = _Rooms()


def _unpack(files: dict[str, str], folder: Path) -> None:
    """Their times are in the order in which they are named: that is what a lane goes by."""
    for number, (name, text) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (number, number))
