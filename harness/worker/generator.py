"""The load generator of a worker, as its scenarios see it, and who gets which core meanwhile."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadError, LoadGenerator, spare_cpu
from loopgauge.scenarios.model import CheckFailed, Lacking

# Seconds for an answer that needs no loop under test.
ANSWER_TIMEOUT_S = 5.0

# Kinds of `protocol.Failed` that are the server's fault, and those that are the machine's.
_WRONG = frozenset({"refused", "lost", "wrong", "stalled"})
_LACKING = frozenset({"unavailable"})


class GeneratorGone(Exception):
    """The generator's process ended. No loop's fault, and nothing can be measured in this process
    any more: it ends, and the manager tries again in another."""


class WorkerGenerator:
    """Started on construction, on the last core where there are several; `close` ends it.

    Every command has one answer, in order: after a run that failed half-way, answers to earlier
    commands may still come, and are dropped.
    """

    def __init__(self) -> None:
        self._cpu = spare_cpu()
        self._process = LoadGenerator(cpu=self._cpu)
        self._poll = select.poll()
        self._poll.register(self._process.fileno(), select.POLLIN)
        self._sent = 0
        self._answered = 0
        self._ids = 0

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._process.fileno()

    def send(self, command: str, **fields: Any) -> None:
        made = msgspec.convert({"command": command, **fields}, protocol.AnyCommand)
        try:
            self._process.send(made)
        except LoadError as error:
            raise GeneratorGone(str(error)) from error
        self._sent += 1

    def receive(self) -> protocol.AnyAnswer | None:
        while self._answered < self._sent and self._poll.poll(0):
            answer = self._next()
            if answer is not None:
                return answer
        return None

    def wait(self) -> protocol.AnyAnswer:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (left := deadline - time.monotonic()) > 0:
            if self._poll.poll(left * 1000) and (answer := self._next()) is not None:
                return answer
        raise TimeoutError("the load generator does not answer")

    def close(self) -> None:
        self._process.close()

    @contextlib.contextmanager
    def core_for_the_loop(self) -> Iterator[None]:
        """This thread keeps off the generator's core while they work against each other."""
        allowed = os.sched_getaffinity(0)
        own = allowed - {self._cpu}
        if self._cpu is None or not own:
            yield
            return
        os.sched_setaffinity(0, own)
        try:
            yield
        finally:
            os.sched_setaffinity(0, allowed)

    def _next(self) -> protocol.AnyAnswer | None:
        """None for what answers an earlier command than the last."""
        self._answered += 1
        current = self._answered == self._sent
        try:
            answer = self._process.receive()
        except LoadError as error:
            if error.kind == "gone":
                raise GeneratorGone(str(error)) from error
            if not current:
                return None
            raise _as_verdict(error) from error
        return answer if current else None


def _as_verdict(error: LoadError) -> Exception:
    if error.kind in _WRONG:
        return CheckFailed(str(error))
    if error.kind in _LACKING:
        return Lacking(str(error))
    return error
