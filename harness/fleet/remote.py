"""A host of a fleet as the runner of a run: the same orders as on this machine, carried out there.

A call is one worker process (or several that take turns), and its answer comes when that has ended:
a cluster that loses the call in between runs it again, and nothing is recorded twice.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from loopgauge.harness import subject
from loopgauge.harness.counted import COUNTED, Counted
from loopgauge.harness.fleet import believing, host_work
from loopgauge.harness.fleet.believing import Answer
from loopgauge.harness.messages import ProtocolError
from loopgauge.harness.model import AnyRecord, Benchmark, Event, Header, Load, Machine
from loopgauge.harness.orders import Order
from loopgauge.harness.pairs import Pair
from loopgauge.harness.request import RunRequest
from loopgauge.harness.subject import Python, Subject
from loopgauge.harness.worker.plan import AnyMessage, Begin, Bye
from loopgauge.harness.worker_process import Outcome

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host

WORK = "loopgauge.harness.fleet.host_work"


class Remote:
    """Used by one thread, and stopped by any. Raises a FleetError from every method where the host
    or the scheduler is lost, or the host answers nonsense; KeyboardInterrupt once it is stopped."""

    def __init__(self, fleet: Fleet, host: Host) -> None:
        self.host = host
        self.worked_s = 0.0  # by the host, waiting for its turn left out
        self._fleet = fleet
        self._stopped = False
        self._pending: concurrent.futures.Future[bytes] | None = None
        self._lock = threading.Lock()

    def clock(self) -> float:
        """The run's own: a host that waits for others must not run out of its budget."""
        return self.worked_s

    def stop(self) -> None:
        """Ends what runs there, and every later call."""
        with self._lock:
            self._stopped = True
            if self._pending is not None:
                self._pending.cancel()

    def machine(self) -> Machine:
        return believing.clean(self._call("machine", None, Machine))

    def load(self) -> Load:
        return believing.clean(self._call("load", None, Load))

    def resolve(self, request: RunRequest) -> Subject:
        call = host_work.ResolveCall(
            benchmarks=[(scenario, dict(params)) for scenario, params in request.benchmarks],
            arms=[*request.arms],
            tiers=[*request.tiers],
            natives=[*request.natives],
            design=request.design,
            path=[*request.path],
        )
        said = self._call("resolve", call, Subject)
        return believing.subject_of(self.host.name, said, request, described(request))

    def ask(self, executable: str, loops: Sequence[str], path: Sequence[str]) -> Python:
        call = host_work.AskCall(executable=executable, loops=[*loops], path=[*path])
        said = self._call("ask", call, Python)
        if missing := set(loops) - said.loops.keys():
            raise believing.nonsense(self.host.name, f"nothing about {sorted(missing)[0]}")
        return believing.clean(said)

    def run(
        self,
        orders: Sequence[Order],
        listeners: Sequence[Callable[[AnyMessage], None]],
        started: Sequence[Callable[[int], None]],
    ) -> list[Outcome]:
        call = host_work.MeasureCall(orders=[*orders])
        said = self._call("measure", call, host_work.Measured)
        if len(said.workers) != len(orders):
            raise believing.nonsense(self.host.name, f"{len(said.workers)} processes")
        self._add(said.wall_s)
        for worker, told in zip(said.workers, started, strict=True):
            told(worker.pid)
        return [
            outcome_of(worker, order, listener)
            for worker, order, listener in zip(said.workers, orders, listeners, strict=True)
        ]

    def count(
        self,
        tier: Counted,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        name = next(name for name, one in COUNTED.items() if one is tier)
        for benchmark, arm in pairs:
            at(benchmark.id, arm.label)
            call = host_work.CountCall(
                tier=name, header=header, benchmark=benchmark.id, arm=arm.label
            )
            said = self._call("count", call, host_work.Counts)
            self._add(said.wall_s)
            for event in believing.events_of(self.host.name, said.events):
                record(event)
            yield believing.records_of(self.host.name, said.records, benchmark, arm)

    def _call(self, function: str, call: Any, kind: type[Answer]) -> Answer:
        payload = b"" if call is None else msgspec.json.encode(call)
        data = self._answer(f"{WORK}:{function}", payload)
        return believing.decoded(self.host.name, data, kind)

    def _answer(self, function: str, payload: bytes) -> bytes:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            future = self._fleet.submit([self.host], function, payload, exclusive=True)
            self._pending = future
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise KeyboardInterrupt from None

    def _add(self, wall_s: float) -> None:
        if wall_s < 0:
            raise believing.nonsense(self.host.name, f"{wall_s} seconds")
        self.worked_s += wall_s


def described(request: RunRequest) -> list[Benchmark]:
    """As subject.resolve has them, from our own registry."""
    found = [subject.describe(scenario, params) for scenario, params in request.benchmarks]
    if request.design is None:
        return found
    return [msgspec.structs.replace(one, design=request.design) for one in found]


def outcome_of(
    said: host_work.WorkerSaid, order: Order, listener: Callable[[AnyMessage], None]
) -> Outcome:
    """What a process said goes to its listener as if it had been said here."""
    arms = {arm["arm"] for arm in order.plan["arms"]}
    last: Begin | None = None
    finished = False
    try:
        for line in said.messages:
            message = believing.message_of(bytes(line), arms)
            finished |= isinstance(message, Bye)
            if isinstance(message, Begin):
                last = message
            listener(message)
        if finished != (said.end == "done"):
            raise ProtocolError(f"it ended as {said.end!r}, and did not say so")
    except ProtocolError as error:
        reason = f"the worker's message makes no sense: {believing.text(str(error))}"
        return Outcome("protocol", reason, last=last, pid=said.pid)
    return Outcome(
        said.end,
        believing.text(said.reason),
        signal=believing.text(said.signal)[:30],
        detail=believing.text(said.detail),
        last=last,
        pid=said.pid,
    )
