"""One conformance run: every chosen loop is asked every chosen question, stock asyncio first.

Where that happens is the business of `asking`. A run that was interrupted goes on with the loops
and questions of its file; what was answered is not asked again.
"""

from __future__ import annotations

import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from loopgauge.conformance import expectations, lanes
from loopgauge.conformance.asking import Asking
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
from loopgauge.conformance.store import Results, Writer

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

    def tried(self, loop: str, lane: Lane) -> None:
        """Asked once, and to be asked again before there is a verdict."""

    def verdict(self, verdict: Verdict) -> None: ...

    def missing(self, lane: Lane, reason: str) -> None:
        """The lane, or a part of it, could not be asked."""


def here(lane: Lane) -> list[Question]:
    """What can be asked on this machine. Raises LaneMissing."""
    return lanes.lane_module(lane).questions(sys.version_info[:3])


def chosen(
    selection: Sequence[str],
    lane_names: Sequence[Lane],
    questions: Callable[[Lane], list[Question]] = here,
) -> dict[Lane, list[Question]]:
    """The questions of each lane that `selection` names. Lanes that cannot be listed are
    left out; raises UnknownCases for a pattern that matches nothing anywhere."""
    listed: dict[Lane, list[Question]] = {}
    for lane in lane_names:
        try:
            listed[lane] = questions(lane)
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


def run(
    request: Request,
    asking: Asking,
    writer: Writer,
    listener: Listener,
    earlier: Results | None = None,
) -> None:
    """Asks, judges and writes; the file is whole after every verdict. `earlier`: what the file
    holds of an interrupted run, whose header is the request's. KeyboardInterrupt passes, after the
    end record that says so."""
    if earlier is None:
        writer.write(request.header)
    end = End(complete=False)
    if earlier is not None and earlier.end is not None:
        end.duration_s = earlier.end.duration_s
    try:
        _Session(request, asking, writer, listener, earlier, end).run()
    finally:
        writer.write(end)


class _Session:
    def __init__(
        self,
        request: Request,
        asking: Asking,
        writer: Writer,
        listener: Listener,
        earlier: Results | None,
        end: End,
    ) -> None:
        self.request, self.asking, self.writer = request, asking, writer
        self.listener, self.end = listener, end
        self.questions = chosen(request.selection, request.header.lanes, asking.questions)
        self.answered: dict[str, dict[str, Verdict]] = {s.loop: {} for s in request.header.subjects}
        for verdict in earlier.verdicts if earlier else ():
            self.answered.setdefault(verdict.loop, {})[verdict.case] = verdict
            times = verdict.tries.get("HANG", verdict.verdict == "HANG")
            asking.hangs[verdict.lane, verdict.loop] += times
        self.unanswered = False
        self.lock = threading.Lock()  # for whatever loops that are asked together share

    def run(self) -> None:
        for lane in self.request.header.lanes:
            if lane not in self.questions:
                self.listener.missing(lane, self._why_missing(lane))
        subjects = zip(self.request.header.subjects, self.request.targets, strict=True)
        available = [(subject, target) for subject, target in subjects if subject.available]
        stock = [one for one in available if one[0].loop == STOCK]
        others = [one for one in available if one[0].loop != STOCK]
        for some in (stock, others):  # stock's verdicts are needed for all others
            self._ask_together(some)
        self.end.complete = not self.unanswered

    def _why_missing(self, lane: Lane) -> str:
        try:
            self.asking.questions(lane)
        except lanes.LaneMissing as error:
            return str(error)
        return ""

    def _ask_together(self, loops: Sequence[tuple[Subject, Target]]) -> None:
        if self.asking.together == 1:
            for one in loops:
                self._ask(*one)
            return
        with ThreadPoolExecutor(self.asking.together) as threads:
            asked = [threads.submit(self._ask, *one) for one in loops]
            try:
                for done in as_completed(asked):
                    done.result()
            except BaseException:
                self.asking.stop()
                raise

    def _ask(self, subject: Subject, target: Target) -> None:
        """One loop, lane after lane."""
        started = time.monotonic()
        known = expectations.read(
            self.request.expectations.get(subject.loop) or expectations.path_of(subject.loop)
        )
        try:
            for lane, questions in self.questions.items():
                self._ask_lane(subject, target, lane, questions, known)
        finally:
            with self.lock:
                spent = self.end.duration_s.get(subject.loop, 0.0)
                self.end.duration_s[subject.loop] = spent + time.monotonic() - started

    def _ask_lane(
        self,
        subject: Subject,
        target: Target,
        lane: Lane,
        questions: Iterable[Question],
        known: expectations.Expectations,
    ) -> None:
        request, answered = self.request, self.answered[subject.loop]
        asked = [q for q in questions if request.only is None or q.id in request.only]
        left = [question for question in asked if question.id not in answered]
        if asked and not left:
            return
        with self.lock:
            self.listener.begin(subject.loop, lane, len(left) * request.repeat)
        stock = {} if subject.loop == STOCK else self.answered.get(STOCK, {})
        judge = _Judge(request, subject, lane, known, stock)

        def done(question: Question, outcome: Outcome) -> None:
            with self.lock:
                verdict = judge.add(question, outcome)
                if verdict is None:
                    self.listener.tried(subject.loop, lane)
                    return
                self.writer.write(verdict)
                answered[question.id] = verdict
                self.listener.verdict(verdict)

        for _ in range(request.repeat):
            for reason in self.asking.answer(lane, left, target, done):
                with self.lock:
                    self.unanswered = True
                    self.listener.missing(lane, reason)


@dataclass
class _Judge:
    """Turns the outcomes of one loop in one lane into verdicts: over repeats, against what is
    known of the loop, and against what stock does."""

    request: Request
    subject: Subject
    lane: Lane
    known: expectations.Expectations
    stock: dict[str, Verdict]
    _outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def add(self, question: Question, outcome: Outcome) -> Verdict | None:
        """The verdict, once the question was asked often enough."""
        outcomes = self._outcomes.setdefault(question.id, [])
        outcomes.append(outcome)
        if len(outcomes) < self.request.repeat:
            return None
        return self._verdict(question, outcomes)

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
