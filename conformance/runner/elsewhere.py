"""Questions that are asked in other places: cut into batches, sent, and put together again.

Who performs a batch is nothing this room knows: it is given `submit`, and what comes back is
checked (`batch.checked`). A batch that fails is sent again; what cannot be asked at all is told,
and the rest goes on.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import msgspec

from loopgauge.conformance import lanes
from loopgauge.conformance.case import all_cases
from loopgauge.conformance.lanes import Done, LaneMissing, Question
from loopgauge.conformance.model import Lane
from loopgauge.conformance.runner.batch import Batch, checked
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.patience import InOrder

#: Questions in a batch: a second or two of work, so that sending it costs a few per cent of that,
#: and what is lost with a worker is little.
SIZES: dict[Lane, int] = {"rules": 24, "cpython": 24, "differential": 1, "ecosystem": 2}

#: How often a batch is sent that comes back without an answer: often enough for a place that gives
#: none to be found out meanwhile.
TRIES = 6

#: After so many batches without an answer, and none with one, the rest is not sent any more.
HOPELESS = 5


class Submit(Protocol):
    """Has a batch performed somewhere, by itself on its machine if `alone`."""

    def __call__(self, payload: bytes, alone: bool) -> Future[bytes]: ...


class Elsewhere:
    """`listed`: the questions of each lane there, or why it cannot be asked. `places`: how many
    batches are performed at a time. `path`: where modules are found there, first. `fatal`: the
    errors that make going on pointless; any other is its batch's alone. `failed` is told of each
    batch without an answer, and says whether it may be sent again."""

    together = 1 << 10

    def __init__(
        self,
        submit: Submit,
        listed: Mapping[Lane, Sequence[Question] | str],
        places: int,
        variables: Mapping[str, str] | None = None,
        path: Sequence[str] = (),
        fatal: tuple[type[BaseException], ...] = (),
        failed: Callable[[Future[bytes], Exception], bool] = lambda future, error: True,
    ) -> None:
        self.submit = submit
        self.places = places
        self.variables = {**(variables or {})}
        self.path = [*path]
        self.fatal = fatal
        self.failed = failed
        self.hangs: Counter[tuple[Lane, str]] = Counter()
        self._listed = listed
        self._stopped = threading.Event()
        self._answering: list[_Answering] = []

    def questions(self, lane: Lane) -> list[Question]:
        found = self._listed[lane]
        if isinstance(found, str):
            raise LaneMissing(found)
        return [*found]

    def answer(
        self, lane: Lane, questions: Sequence[Question], target: Target, done: Done
    ) -> list[str]:
        answering = _Answering(self, lane, questions, target, done)
        self._answering.append(answering)
        try:
            if self._stopped.is_set():
                raise KeyboardInterrupt
            answering.run()
        finally:
            self._answering.remove(answering)
            answering.cancel()
        if lane == "rules":  # in the others nothing is carried from one round to the next
            self.hangs[lane, target.name] += answering.order.hung
        return answering.unanswered()

    def stop(self) -> None:
        self._stopped.set()
        for answering in [*self._answering]:
            answering.results.put(None)


@dataclass
class _Sent:
    """A batch, and how often it was sent already."""

    questions: list[Question]
    alone: bool
    tries: int = 0


class _Answering:
    """The questions of one lane to one loop."""

    def __init__(
        self,
        elsewhere: Elsewhere,
        lane: Lane,
        questions: Sequence[Question],
        target: Target,
        done: Done,
    ) -> None:
        self.elsewhere, self.lane, self.target, self.done = elsewhere, lane, target, done
        self.module = lanes.lane_module(lane)
        self.files = self.module.luggage()
        self.todo = deque(_batches(lane, questions))
        asked = [question for batch in self.todo for question in batch.questions]
        self.by_id = {question.id: question for question in asked}
        self.order = InOrder(lane, [*self.by_id], elsewhere.hangs[lane, target.name])
        self.results: queue.SimpleQueue[tuple[_Sent, Future[bytes]] | None] = queue.SimpleQueue()
        self.under_way: set[Future[bytes]] = set()
        self.answers = self.hopeless = 0  # batches
        self.lost: dict[str, list[Question]] = {}  # by what was the matter with them

    def run(self) -> None:
        # Twice as many under way as can be at work: no place waits for us, and few batches were
        # sent too early to know how often the loop hangs.
        while self.todo or self.under_way:
            while self.todo and len(self.under_way) < 2 * self.elsewhere.places:
                self.send(self.todo.popleft())
            result = self.results.get()
            if result is None:
                raise KeyboardInterrupt
            self.receive(*result)
        self.order.settle(self.keep)

    def send(self, batch: _Sent) -> None:
        first = batch.questions[0].id
        payload = Batch(
            lane=self.lane,
            questions=[question.id for question in batch.questions],
            target=self.target,
            variables=self.elsewhere.variables,
            path=self.elsewhere.path,
            hangs=self.order.before(first),
            files=self.files,
        )
        future = self.elsewhere.submit(msgspec.json.encode(payload), batch.alone)
        self.under_way.add(future)
        future.add_done_callback(lambda done: self.results.put((batch, done)))

    def receive(self, batch: _Sent, future: Future[bytes]) -> None:
        self.under_way.discard(future)
        try:
            answers = checked(future.result(), [question.id for question in batch.questions])
        except self.elsewhere.fatal:
            raise
        except Exception as error:
            self.fail(batch, future, error)
            return
        self.answers += 1
        for answer in answers:
            if self.order.add(answer.question, answer.outcome):
                self.keep(answer.question, answer.outcome)

    def fail(self, batch: _Sent, future: Future[bytes], error: Exception) -> None:
        again = self.elsewhere.failed(future, error)
        batch.tries += 1
        if again and batch.tries < TRIES:
            self.todo.appendleft(batch)
            return
        self.lost.setdefault(str(error), []).extend(batch.questions)
        self.hopeless += 1
        if not self.answers and self.hopeless == HOPELESS:
            self.lost[str(error)] += [one for left in self.todo for one in left.questions]
            self.todo.clear()

    def unanswered(self) -> list[str]:
        """Why some questions have no answer, a line for each reason."""
        lines = []
        for error, questions in self.lost.items():
            more = f" and {len(questions) - 1} more" if len(questions) > 1 else ""
            lines.append(f"{self.target.name}: {questions[0].id}{more} could not be asked: {error}")
        return lines

    def keep(self, question: str, outcome: Outcome) -> None:
        self.module.keep(self.by_id[question], self.target, outcome)
        self.done(self.by_id[question], outcome)

    def cancel(self) -> None:
        for future in self.under_way:
            future.cancel()


def _batches(lane: Lane, questions: Sequence[Question]) -> Iterator[_Sent]:
    """In the order in which one process would ask them (`Pool.run`): cases that need the machine
    for themselves come last, one by one; a group stays together."""
    alone = [one for one in questions if lane == "rules" and all_cases()[one.id].alone]
    apart = {one.id for one in alone}
    shared = [one for one in questions if one.id not in apart]
    batch: list[Question] = []
    for _, members in groupby(shared, lambda one: one.group or one.id):
        batch += members
        if len(batch) >= SIZES[lane]:
            yield _Sent(batch, alone=False)
            batch = []
    if batch:
        yield _Sent(batch, alone=False)
    for one in alone:
        yield _Sent([one], alone=True)
