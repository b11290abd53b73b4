"""One conformance run: every chosen loop is asked every chosen question, stock asyncio first."""

from __future__ import annotations

import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from loopgauge.conformance import expectations, lanes
from loopgauge.conformance.lanes import Question
from loopgauge.conformance.model import (
    FAILING,
    GOOD,
    End,
    Header,
    Kind,
    Lane,
    Subject,
    Verdict,
)
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.store import Writer

STOCK = "asyncio"


class UnknownCases(ValueError):
    """A pattern that matches no question of the chosen lanes."""

    def __init__(self, pattern: str, known: Sequence[str]) -> None:
        super().__init__(pattern)
        self.pattern = pattern
        self.known = known


@dataclass
class Request:
    """What is asked of whom. `targets` belong to `header.subjects`, in the same order; loops that
    are not available are skipped. `selection`: areas, rules, case ids or globs; [] is all.
    `only`: nothing but these cases (what failed last time). `expectations`: the file of a loop
    that has its own."""

    header: Header
    targets: list[Target]
    selection: list[str] = field(default_factory=list)
    only: frozenset[str] | None = None
    expectations: dict[str, Path] = field(default_factory=dict)

    @property
    def repeat(self) -> int:
        return self.header.repeat


class Listener(Protocol):
    """Who shows what is going on."""

    def begin(self, loop: str, lane: Lane, questions: int) -> None: ...

    def tried(self, question: Question) -> None:
        """Asked once, and to be asked again before there is a verdict."""

    def verdict(self, verdict: Verdict) -> None: ...

    def missing(self, lane: Lane, reason: str) -> None: ...


def chosen(selection: Sequence[str], lane_names: Sequence[Lane]) -> dict[Lane, list[Question]]:
    """The questions of each lane that `selection` names. Lanes that cannot be listed here are
    left out; raises UnknownCases for a pattern that matches nothing anywhere."""
    listed: dict[Lane, list[Question]] = {}
    for lane in lane_names:
        try:
            listed[lane] = lanes.lane_module(lane).questions(sys.version_info[:3])
        except lanes.LaneMissing:
            continue
    for pattern in selection:
        if not any(_matches(q, pattern) for found in listed.values() for q in found):
            known = [name for found in listed.values() for q in found for name in _names_of(q)]
            raise UnknownCases(pattern, [*dict.fromkeys(known)])
    return {
        lane: [q for q in found if not selection or any(_matches(q, p) for p in selection)]
        for lane, found in listed.items()
    }


def _matches(question: Question, pattern: str) -> bool:
    """An area ("TIME"), a rule ("TIME-007"), a case, or a glob over case ids."""
    return pattern in _names_of(question) or fnmatchcase(question.id, pattern)


def _names_of(question: Question) -> tuple[str, ...]:
    """What a question goes by: its area and rule, where it has one, and its own id."""
    if not question.rule:
        return (question.id,)
    return question.rule.partition("-")[0], question.rule, question.id


def run(request: Request, pool: Pool, writer: Writer, listener: Listener) -> None:
    """Asks, judges and writes; the file is whole after every verdict. KeyboardInterrupt passes,
    after the end record that says so."""
    writer.write(request.header)
    end = End(complete=False)
    try:
        _run_all(request, pool, writer, listener, end)
        end.complete = True
    finally:
        writer.write(end)


def _run_all(request: Request, pool: Pool, writer: Writer, listener: Listener, end: End) -> None:
    questions = chosen(request.selection, request.header.lanes)
    for lane in request.header.lanes:
        if lane not in questions:
            listener.missing(lane, _why_missing(lane))
    stock: dict[str, Verdict] = {}
    for subject, target in zip(request.header.subjects, request.targets, strict=True):
        if not subject.available:
            continue
        started = time.monotonic()
        known = expectations.read(
            request.expectations.get(subject.loop) or expectations.path_of(subject.loop)
        )
        for lane, asked in questions.items():
            asked = [q for q in asked if request.only is None or q.id in request.only]
            listener.begin(subject.loop, lane, len(asked) * request.repeat)
            judge = _Judge(request, subject, lane, known, stock)

            def done(question: Question, outcome: Outcome, judge: _Judge = judge) -> None:
                verdict = judge.add(question, outcome)
                if verdict is None:
                    listener.tried(question)
                    return
                writer.write(verdict)
                listener.verdict(verdict)

            for _ in range(request.repeat):
                lanes.lane_module(lane).answer(asked, target, pool, done)
            if subject.loop == STOCK:
                stock.update(judge.verdicts)
        end.duration_s[subject.loop] = time.monotonic() - started


def _why_missing(lane: Lane) -> str:
    try:
        lanes.lane_module(lane).questions(sys.version_info[:3])
    except lanes.LaneMissing as error:
        return str(error)
    return ""


@dataclass
class _Judge:
    """Turns the outcomes of one loop in one lane into verdicts: over repeats, against what is
    known of the loop, and against what stock does."""

    request: Request
    subject: Subject
    lane: Lane
    known: expectations.Expectations
    stock: dict[str, Verdict]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def add(self, question: Question, outcome: Outcome) -> Verdict | None:
        """The verdict, once the question was asked often enough."""
        outcomes = self._outcomes.setdefault(question.id, [])
        outcomes.append(outcome)
        if len(outcomes) < self.request.repeat:
            return None
        verdict = self._verdict(question, outcomes)
        self.verdicts[question.id] = verdict
        return verdict

    def _verdict(self, question: Question, outcomes: Sequence[Outcome]) -> Verdict:
        header, subject = self.request.header, self.subject
        outcome, tries = _merged(outcomes), Counter(one.verdict for one in outcomes)
        stock = self.stock.get(question.id)
        kind, reason = outcome.verdict, outcome.reason
        if stock is not None and stock.status == "unexpected" and stock.verdict in FAILING:
            kind, reason = "HARNESS", f"stock asyncio: {stock.verdict}: {stock.reason}"
        judgement = self.known.judge(question.id, kind, header.python, subject.version, tries)
        return Verdict(
            lane=self.lane,
            loop=subject.loop,
            rule=question.rule,
            case=question.id,
            level=question.level,
            profile=question.profile,
            description=question.description,
            expected_behaviour=question.expected,
            verdict=kind,
            reason=reason,
            status=judgement.status,
            expectation=judgement.reason,
            issue=judgement.issue,
            stock=stock.verdict if stock else "",
            duration_s=outcome.duration_s,
            tries={str(kind): n for kind, n in tries.items()} if len(outcomes) > 1 else {},
            evidence=outcome.evidence,
            factory=subject.factory,
            version=subject.version,
            python=header.python,
            build_hash=subject.build_hash,
        )


def _merged(outcomes: Sequence[Outcome]) -> Outcome:
    """The one outcome that all repeats agree on; FLAKY, with the worst one's evidence, if not."""
    kinds: list[Kind] = [outcome.verdict for outcome in outcomes]
    if len(set(kinds)) == 1:
        return outcomes[-1]
    counts = ", ".join(f"{count} x {kind}" for kind, count in Counter(kinds).most_common())
    worst = next((one for one in outcomes if one.verdict not in GOOD), outcomes[-1])
    return Outcome(
        verdict="FLAKY",
        reason=f"{counts}; {worst.reason}",
        duration_s=worst.duration_s,
        evidence=worst.evidence,
    )


def build_kind() -> str:
    """For the header: what of the interpreter's build can matter to a verdict."""
    debug = "debug" if hasattr(sys, "gettotalrefcount") else "release"
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return f"{debug}, {'GIL' if gil else 'free-threaded'}, {platform.python_compiler()}"
