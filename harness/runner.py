"""Where the processes of a run are started: everything the manager asks of a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from loopgauge.harness import environment, subject
from loopgauge.harness.counted import Counted
from loopgauge.harness.launch import launches
from loopgauge.harness.model import AnyRecord, Event, Header, Load, Machine
from loopgauge.harness.orders import Order
from loopgauge.harness.pairs import Pair
from loopgauge.harness.request import RunRequest
from loopgauge.harness.subject import Python, Subject
from loopgauge.harness.worker.plan import AnyMessage
from loopgauge.harness.worker_process import WORKER_MODULE, Outcome, run_workers


class Runner(Protocol):
    """One machine with its Pythons."""

    def machine(self) -> Machine: ...

    def load(self) -> Load: ...

    def resolve(self, request: RunRequest) -> Subject:
        """As subject.resolve does on that machine."""

    def ask(self, executable: str, loops: Sequence[str], path: Sequence[str]) -> Python:
        """As subject.ask does there."""

    def run(
        self,
        orders: Sequence[Order],
        listeners: Sequence[Callable[[AnyMessage], None]],
        started: Sequence[Callable[[int], None]],
    ) -> list[Outcome]:
        """A worker process for each order, to its end; several take turns. `started` is told the
        process id before the listener hears the first message."""

    def count(
        self,
        tier: Counted,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        """As the tier's own `count` does there."""


class Local:
    """This machine. `program`: arguments that make an interpreter the worker program."""

    def __init__(self, program: Sequence[str] = WORKER_MODULE) -> None:
        self._program = program

    def machine(self) -> Machine:
        return environment.machine()

    def load(self) -> Load:
        return environment.load()

    def resolve(self, request: RunRequest) -> Subject:
        return subject.resolve(request)

    def ask(self, executable: str, loops: Sequence[str], path: Sequence[str]) -> Python:
        return subject.ask(executable, loops, path)

    def run(
        self,
        orders: Sequence[Order],
        listeners: Sequence[Callable[[AnyMessage], None]],
        started: Sequence[Callable[[int], None]],
    ) -> list[Outcome]:
        with launches(orders, self._program) as made:
            return run_workers(made, listeners, started)

    def count(
        self,
        tier: Counted,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        return tier.count(header, pairs, record, at)
